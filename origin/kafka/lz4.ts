/** LZ4 frames, as Kafka's producers write them. Checksums are read over: brokers check what producers send. */
import { copyBack } from "./snappy.ts";
import { TooLargeError } from "./unpacked.ts";
import { WireError } from "./wire.ts";

const MAGIC = 0x184d2204;
const MAX_BLOCK = [0, 0, 0, 0, 64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024];
const STORED = 0x80000000;
/** How far back a copy may reach, into the blocks before if these are linked. */
const WINDOW = 64 * 1024;

/** Throws WireError, and TooLargeError past the bound. */
export function decompressLz4(bytes: Buffer, maxBytes: number): Buffer {
  const blocks: Buffer[] = [];
  let left = maxBytes;
  for (const block of blocksOf(bytes, spaceFor)) {
    left -= block.length;
    if (left < 0) throw new TooLargeError(maxBytes);
    blocks.push(block);
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks);
}

/** The same, block by block. */
export function lz4Pieces(bytes: Buffer): Generator<Buffer, void, void> {
  return blocksOf(bytes, Buffer.allocUnsafe);
}

/** For what is unpacked at once, most of which is small. */
const SHARED_SPACE = Buffer.allocUnsafe(2 * WINDOW);
const spaceFor = (size: number): Buffer =>
  size <= SHARED_SPACE.length ? SHARED_SPACE : Buffer.allocUnsafe(size);

function* blocksOf(bytes: Buffer, allocate: (size: number) => Buffer): Generator<Buffer, void, void> {
  const { at: start, maxBlock, linked, blockChecksum } = headerOf(bytes);
  const need = (end: number) => {
    if (end > bytes.length) throw new WireError("an LZ4 frame ends early");
  };
  // The window, then the block that is unpacked behind it. It takes memory from the first block on.
  let space: Buffer = Buffer.alloc(0);
  let window = 0;
  for (let at = start; ; ) {
    need(at + 4);
    const word = bytes.readUInt32LE(at);
    if (word === 0) return;
    const size = word % STORED;
    at += 4;
    need(at + size + blockChecksum);
    const block = bytes.subarray(at, at + size);
    at += size + blockChecksum;
    if (space.length === 0) space = allocate(WINDOW + maxBlock);
    if (word >= STORED) {
      if (size > maxBlock) throw new WireError("an LZ4 block is too large");
      block.copy(space, window);
    }
    const end = word >= STORED ? window + size : decompressBlock(block, space, window, window + maxBlock);
    // A copy: a small block must not keep the space of a large one.
    yield Buffer.from(space.subarray(window, end));
    if (!linked) continue;
    const from = Math.max(0, end - WINDOW);
    space.copyWithin(0, from, end);
    window = end - from;
  }
}

/** What `lz4Pieces` holds at a time. */
export function lz4Memory(bytes: Buffer): number {
  return WINDOW + 2 * headerOf(bytes).maxBlock;
}

function headerOf(bytes: Buffer) {
  if (bytes.length < 7) throw new WireError("an LZ4 frame ends early");
  if (bytes.readUInt32LE(0) !== MAGIC) throw new WireError("these bytes are no LZ4 frame");
  const flags = bytes.readUInt8(4);
  const maxBlock = MAX_BLOCK[(bytes.readUInt8(5) >>> 4) & 7] ?? 0;
  if (flags >>> 6 !== 1 || maxBlock === 0) throw new WireError("an LZ4 frame of an unknown kind");
  const linked = (flags & 0x20) === 0;
  const blockChecksum = (flags & 0x10) === 0 ? 0 : 4;
  const at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4);
  return { at, maxBlock, linked, blockChecksum };
}

/** Into `space` from `start` on, before which lies the window, and not past `limit`. Returns where it ends. */
function decompressBlock(bytes: Buffer, space: Buffer, start: number, limit: number): number {
  const out = space.subarray(0, limit);
  let at = 0;
  let to = start;
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
    if (at === bytes.length) return to;
    if (at + 2 > bytes.length) throw new WireError("an LZ4 block ends early");
    const back = bytes.readUInt16LE(at);
    at += 2;
    to = copyBack(out, to, back, length(token & 15) + 4);
  }
}
