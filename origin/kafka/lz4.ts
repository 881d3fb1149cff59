/** LZ4 frames, as Kafka's producers write them. Checksums are read over: brokers check what producers send. */
import { copyBack } from "./snappy.ts";
import { WireError } from "./wire.ts";

const MAGIC = 0x184d2204;
const MAX_BLOCK = [0, 0, 0, 0, 64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024];
const STORED = 0x80000000;
/** How far back a copy may reach, into the blocks before where these are linked. */
const WINDOW = 64 * 1024;

/** Throws WireError. */
export function decompressLz4(bytes: Buffer, maxBytes: number): Buffer {
  const need = (end: number) => {
    if (end > bytes.length) throw new WireError("an LZ4 frame ends early");
  };
  need(7);
  if (bytes.readUInt32LE(0) !== MAGIC) throw new WireError("these bytes are no LZ4 frame");
  const flags = bytes.readUInt8(4);
  const maxBlock = MAX_BLOCK[(bytes.readUInt8(5) >>> 4) & 7] ?? 0;
  if (flags >>> 6 !== 1 || maxBlock === 0) throw new WireError("an LZ4 frame of an unknown kind");
  const linked = (flags & 0x20) === 0;
  const blockChecksum = (flags & 0x10) === 0 ? 0 : 4;
  let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);

  const blocks: Buffer[] = [];
  let left = maxBytes;
  let window = Buffer.alloc(0);
  for (;;) {
    need(at + 4);
    const word = bytes.readUInt32LE(at);
    if (word === 0) return Buffer.concat(blocks);
    const size = word % STORED;
    at += 4;
    need(at + size + blockChecksum);
    const block = bytes.subarray(at, at + size);
    const plain = word >= STORED ? block : decompressBlock(block, window, maxBlock);
    blocks.push(plain);
    left -= plain.length;
    if (left < 0) throw new WireError("an LZ4 frame is too large");
    if (linked) window = Buffer.concat([window, plain]).subarray(-WINDOW);
    at += size + blockChecksum;
  }
}

function decompressBlock(bytes: Buffer, window: Buffer, maxBlock: number): Buffer {
  const out = Buffer.allocUnsafe(window.length + maxBlock);
  window.copy(out);
  let at = 0;
  let to = window.length;
  const length = (nibble: number) => {
    if (nibble < 15) return nibble;
    for (let total = nibble; ; ) {
      const byte = bytes[at++];
      if (byte === undefined) throw new WireError("an LZ4 block ends early");
      total += byte;
      if (byte < 255) return total;
    }
  };
  for (;;) {
    const token = bytes[at++];
    if (token === undefined) throw new WireError("an LZ4 block ends early");
    const literals = length(token >>> 4);
    if (at + literals > bytes.length || to + literals > out.length)
      throw new WireError("an LZ4 literal is too long");
    bytes.copy(out, to, at, at + literals);
    at += literals;
    to += literals;
    // The last sequence is without a copy.
    if (at === bytes.length) return out.subarray(window.length, to);
    if (at + 2 > bytes.length) throw new WireError("an LZ4 block ends early");
    const back = bytes.readUInt16LE(at);
    at += 2;
    to = copyBack(out, to, back, length(token & 15) + 4);
  }
}
