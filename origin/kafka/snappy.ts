/** Snappy as Kafka's producers write it: Java's in blocks behind a header, others' as one block without. */
import { WireError } from "./wire.ts";

const HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** The header, and two numbers of 32 bits: the version, and the oldest that can read it. */
const BLOCKS_AT = 16;

/** Throws WireError. */
export function decompressSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (!bytes.subarray(0, HEADER.length).equals(HEADER)) return decompressBlock(bytes, maxBytes);
  const blocks: Buffer[] = [];
  let left = maxBytes;
  for (let at = BLOCKS_AT; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new WireError("a snappy block has no length");
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new WireError("a snappy block ends early");
    const block = decompressBlock(bytes.subarray(at + 4, end), left);
    blocks.push(block);
    left -= block.length;
    at = end;
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks);
}

function decompressBlock(bytes: Buffer, maxBytes: number): Buffer {
  let at = 0;
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

  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const part = byte();
    length += (part & 0x7f) * 2 ** shift;
    if (part < 0x80) break;
    if (shift >= 28) throw new WireError("a snappy block's length is too long");
  }
  // The most that can be had is 64 bytes from the three of one copy.
  if (length > Math.min(22 * bytes.length, maxBytes)) throw new WireError("a snappy block is too large");
  const out = Buffer.allocUnsafe(length);
  let to = 0;
  while (at < bytes.length) {
    const tag = byte();
    if ((tag & 3) === 0) {
      const short = tag >>> 2;
      const size = (short < 60 ? short : little(short - 59)) + 1;
      if (at + size > bytes.length || to + size > length) throw new WireError("a snappy literal is too long");
      bytes.copy(out, to, at, at + size);
      at += size;
      to += size;
      continue;
    }
    const size = (tag & 3) === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const back = (tag & 3) === 1 ? (tag >>> 5) * 256 + byte() : little((tag & 3) === 2 ? 2 : 4);
    to = copyBack(out, to, back, size);
  }
  if (to !== length) throw new WireError("a snappy block is shorter than it says");
  return out;
}

/**
 * Repeats `size` bytes from `back` bytes ago, which may overlap what is being written. Returns where it ends.
 * Throws WireError where either lies outside of `out`.
 */
export function copyBack(out: Buffer, to: number, back: number, size: number): number {
  const from = to - back;
  if (back === 0 || from < 0 || to + size > out.length)
    throw new WireError("a copy lies outside of its block");
  if (back >= size && size > 16) out.copy(out, to, from, from + size);
  else for (let i = 0; i < size; i++) out[to + i] = out[from + i] ?? 0;
  return to + size;
}
