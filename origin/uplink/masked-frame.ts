/**
 * Messages as frames of RFC 6455, from a client, whole: each in one buffer, into which it is written once and where it is masked.
 * The package `ws` would take a copy more, and mask byte by byte.
 */
import { randomFillSync } from "node:crypto";

export const TEXT = 0x81;
export const BINARY = 0x82;

/** RFC 6455 §5.2. */
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;
const MOST_HEAD = 14;

/** Frames follow one another in it, until there is no room; then the next one is begun, and this one lives until all were sent. */
const SLAB_BYTES = 64 * 1024;

interface Slab {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
}

let slab = newSlab(SLAB_BYTES);
let used = 0;

/** No two frames have the same key, and nobody can tell which the next one has. */
const keys = new Uint32Array(1_024);
const keyBytes = new Uint8Array(keys.buffer);
let nextKey = keys.length;

/** @param pieces Texts, and bytes as they are. */
export function maskedFrame(first: number, pieces: readonly (string | Uint8Array)[]): Buffer {
  let length = 0;
  for (const piece of pieces) length += typeof piece === "string" ? Buffer.byteLength(piece) : piece.length;
  const head = length < LENGTH_16 ? 6 : length <= 0xffff ? 8 : MOST_HEAD;
  const { bytes, words } = roomFor(MOST_HEAD + 2 * MASK_BYTES + length);
  // So that what is masked begins with a word.
  const from = (used + head + MASK_BYTES - 1) & -MASK_BYTES;
  const at = from - head;
  bytes[at] = first;
  if (head === 6) bytes[at + 1] = MASKED | length;
  else if (head === 8) {
    bytes[at + 1] = MASKED | LENGTH_16;
    bytes.writeUInt16BE(length, at + 2);
  } else {
    bytes[at + 1] = MASKED | LENGTH_64;
    bytes.writeUIntBE(0, at + 2, 2);
    bytes.writeUIntBE(length, at + 4, 6);
  }
  let to = from;
  for (const piece of pieces) {
    if (typeof piece === "string") to += bytes.write(piece, to);
    else {
      bytes.set(piece, to);
      to += piece.length;
    }
  }
  mask(words, bytes, from, to);
  used = to;
  return bytes.subarray(at, to);
}

function mask(words: Uint32Array, bytes: Buffer, from: number, to: number): void {
  if (nextKey === keys.length) {
    randomFillSync(keys);
    nextKey = 0;
  }
  const key = keys[nextKey] ?? 0;
  for (let i = 0; i < MASK_BYTES; i++) bytes[from - MASK_BYTES + i] = keyBytes[MASK_BYTES * nextKey + i] ?? 0;
  nextKey++;
  // Beyond the end, too: nothing lies there yet.
  const end = Math.ceil(to / MASK_BYTES);
  for (let word = from / MASK_BYTES; word < end; word++) words[word] = (words[word] ?? 0) ^ key;
}

/** At `used`. */
function roomFor(most: number): Slab {
  if (used + most > slab.bytes.length) {
    slab = newSlab(Math.max(SLAB_BYTES, most));
    used = 0;
  }
  return slab;
}

/** Not of Node's pool, of which it would keep what others have there. */
function newSlab(most: number): Slab {
  const size = Math.ceil(most / MASK_BYTES) * MASK_BYTES;
  const bytes = Buffer.allocUnsafeSlow(size);
  return { bytes, words: new Uint32Array(bytes.buffer, 0, size / MASK_BYTES) };
}
