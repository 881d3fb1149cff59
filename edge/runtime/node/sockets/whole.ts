/**
 * Messages of a client that came whole: one frame each, all of it in one piece from the network, as nearly all do. They are read
 * here, which takes half the time that a stream of `ws` takes for each. Whatever else comes, and whatever is wrong, is for that.
 */
import { exact, type Incoming } from "./end.ts";
import { BINARY, LENGTH_16, LENGTH_64, TEXT } from "./frame.ts";

const MASKED = 0x80;
const MASK_BYTES = 4;
/** Fewer are unmasked one by one. */
const FEW_BYTES = 64;
/** A mask from where four bytes begin. */
const TURNED = new Uint8Array(MASK_BYTES);
const AS_WORD = new Int32Array(TURNED.buffer);

/** Reads messages from the beginning of a piece, which it unmasks. Returns how many bytes they took. */
export function readWhole(piece: Buffer, hear: (data: Incoming) => void): number {
  let at = 0;
  for (;;) {
    const first = piece[at];
    if (first !== TEXT && first !== BINARY) return at;
    const second = piece[at + 1] ?? 0;
    let length = second & ~MASKED;
    let begin = at + 2;
    if (length === LENGTH_64) return at;
    if (length === LENGTH_16) {
      length = ((piece[begin] ?? 0) << 8) | (piece[begin + 1] ?? 0);
      begin += 2;
      // It must have been said in fewer bytes.
      if (length < LENGTH_16) return at;
    }
    begin += MASK_BYTES;
    const end = begin + length;
    if (second < MASKED || end > piece.length) return at;
    unmask(piece, begin, end);
    hear(first === TEXT ? piece.toString("utf8", begin, end) : exact(piece.subarray(begin, end)));
    at = end;
  }
}

/** With the four bytes before them. */
function unmask(piece: Buffer, begin: number, end: number): void {
  const mask = begin - MASK_BYTES;
  let at = begin;
  if (end - begin >= FEW_BYTES) {
    while ((piece.byteOffset + at) % MASK_BYTES !== 0) at = unmaskByte(piece, at, begin);
    const words = new Int32Array(piece.buffer, piece.byteOffset + at, Math.floor((end - at) / MASK_BYTES));
    for (let i = 0; i < MASK_BYTES; i++) TURNED[i] = piece[mask + ((at - begin + i) % MASK_BYTES)] ?? 0;
    const word = AS_WORD[0] ?? 0;
    for (let i = 0; i < words.length; i++) words[i] = (words[i] ?? 0) ^ word;
    at += MASK_BYTES * words.length;
  }
  while (at < end) at = unmaskByte(piece, at, begin);
}

function unmaskByte(piece: Buffer, at: number, begin: number): number {
  piece[at] = (piece[at] ?? 0) ^ (piece[begin - MASK_BYTES + ((at - begin) % MASK_BYTES)] ?? 0);
  return at + 1;
}
