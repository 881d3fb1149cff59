/** Snappy as Kafka's producers write it: Java's in blocks behind a header, others' as one block without. */
import { PIECE_BYTES, TooLargeError } from "./unpacked.ts";
import { WireError } from "./wire.ts";

const HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** The header, and two numbers of 32 bits: the version, and the oldest that can read it. */
const BLOCKS_AT = 16;

/** Throws WireError, and TooLargeError past the bound. */
export function decompressSnappy(bytes: Buffer, maxBytes: number): Buffer {
  const unpacked: Buffer[] = [];
  let left = maxBytes;
  for (const block of blocks(bytes)) {
    const { length, at } = startOf(block);
    // The length comes first: what is too large isn't unpacked in vain.
    if (length > left) throw new TooLargeError(maxBytes);
    left -= length;
    const out = Buffer.allocUnsafe(length);
    const unpacking = new Block(block, at, out);
    while (unpacking.next() !== undefined);
    unpacked.push(out);
  }
  return unpacked.length === 1 && unpacked[0] !== undefined ? unpacked[0] : Buffer.concat(unpacked);
}

/** The same piece by piece. A block's pieces share its memory. */
export function* snappyPieces(bytes: Buffer): Generator<Buffer, void, void> {
  for (const block of blocks(bytes)) yield* piecesOf(block);
}

/** What `snappyPieces` holds at a time: a whole block, since a copy in it may reach back to its start. */
export function snappyMemory(bytes: Buffer): number {
  let most = 0;
  for (const block of blocks(bytes)) most = Math.max(most, startOf(block).length);
  return most;
}

function* blocks(bytes: Buffer): Generator<Buffer, void, void> {
  if (!bytes.subarray(0, HEADER.length).equals(HEADER)) return yield bytes;
  for (let at = BLOCKS_AT; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new WireError("a snappy block has no length");
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new WireError("a snappy block ends early");
    yield bytes.subarray(at + 4, end);
    at = end;
  }
}

/** How many bytes a block has unpacked, and where what they are made of begins. */
function startOf(block: Buffer): { readonly length: number; readonly at: number } {
  let length = 0;
  let at = 0;
  for (let shift = 0; ; shift += 7) {
    const part = block[at++];
    if (part === undefined) throw new WireError("a snappy block ends early");
    length += (part & 0x7f) * 2 ** shift;
    if (part < 0x80) break;
    if (shift >= 28) throw new WireError("a snappy block's length is too long");
  }
  // The most that can be had is 64 bytes from the three of one copy.
  if (length > 22 * block.length) throw new WireError("a snappy block is too large");
  return { length, at };
}

function* piecesOf(block: Buffer): Generator<Buffer, void, void> {
  const { length, at } = startOf(block);
  const unpacking = new Block(block, at, Buffer.allocUnsafe(length));
  for (;;) {
    const piece = unpacking.next();
    if (piece === undefined) return;
    yield piece;
  }
}

/** One block, on its way. */
class Block {
  readonly #bytes: Buffer;
  readonly #out: Buffer;
  #at: number;
  #to = 0;

  constructor(bytes: Buffer, at: number, out: Buffer) {
    this.#bytes = bytes;
    this.#at = at;
    this.#out = out;
  }

  /** Of what comes next, about a piece; undefined after the end. */
  next(): Buffer | undefined {
    const bytes = this.#bytes;
    const out = this.#out;
    const { length } = out;
    const from = this.#to;
    let at = this.#at;
    let to = from;
    const byte = () => {
      const value = bytes[at++];
      if (value === undefined) throw new WireError("a snappy block ends early");
      return value;
    };
    const little = (size: number) => {
      let value = 0;
      for (let i = 0; i < size; i++) value += byte() * 2 ** (8 * i);
      return value;
    };
    while (at < bytes.length && to - from < PIECE_BYTES) {
      const tag = byte();
      if ((tag & 3) === 0) {
        const short = tag >>> 2;
        const size = (short < 60 ? short : little(short - 59)) + 1;
        if (at + size > bytes.length || to + size > length)
          throw new WireError("a snappy literal is too long");
        bytes.copy(out, to, at, at + size);
        at += size;
        to += size;
        continue;
      }
      const size = (tag & 3) === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
      const back = (tag & 3) === 1 ? (tag >>> 5) * 256 + byte() : little((tag & 3) === 2 ? 2 : 4);
      to = copyBack(out, to, back, size);
    }
    if (at >= bytes.length && to !== length) throw new WireError("a snappy block is shorter than it says");
    this.#at = at;
    this.#to = to;
    return to === from ? undefined : out.subarray(from, to);
  }
}

/**
 * Repeats `size` bytes from `back` bytes ago, which may overlap what is being written. Returns where it ends.
 * Throws WireError if either lies outside of `out`.
 */
export function copyBack(out: Buffer, to: number, back: number, size: number): number {
  const from = to - back;
  if (back === 0 || from < 0 || to + size > out.length)
    throw new WireError("a copy lies outside of its block");
  if (back >= size && size > 16) out.copy(out, to, from, from + size);
  else for (let i = 0; i < size; i++) out[to + i] = out[from + i] ?? 0;
  return to + size;
}
