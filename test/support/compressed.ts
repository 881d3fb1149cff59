/** Bytes in the form of each codec that Kafka's batches have. Those that no library writes here hold plain literals. */
import { gzipSync, zstdCompressSync } from "node:zlib";

export interface TestCodec {
  readonly name: string;
  /** As in a batch's attributes. */
  readonly number: number;
  readonly compress: (bytes: Buffer) => Buffer;
}

export const TEST_CODECS: readonly TestCodec[] = [
  { name: "gzip", number: 1, compress: (bytes) => gzipSync(bytes) },
  { name: "snappy in blocks", number: 2, compress: snappyBlocks },
  { name: "snappy in one block", number: 2, compress: snappy },
  { name: "lz4", number: 3, compress: lz4 },
  { name: "zstd", number: 4, compress: (bytes) => zstdCompressSync(bytes) },
];

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const SNAPPY_LITERAL = 64 * 1024;
const XERIAL_BLOCK = 32 * 1024;
/** Linked blocks, of 64 KiB at most. */
const LZ4_HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0]);
const LZ4_BLOCK = 64 * 1024;

function snappyBlocks(bytes: Buffer): Buffer {
  const blocks = cut(bytes, XERIAL_BLOCK).flatMap((part) => {
    const block = snappy(part);
    return [fourBytes(block.length, true), block];
  });
  return Buffer.concat([XERIAL, ...blocks]);
}

/** A length, and literals, whose lengths take two bytes each. */
function snappy(bytes: Buffer): Buffer {
  const length: number[] = [];
  let left = bytes.length;
  for (; left > 127; left = Math.floor(left / 128)) length.push((left % 128) + 128);
  length.push(left);
  const literals = cut(bytes, SNAPPY_LITERAL).flatMap((part) => {
    const more = part.length - 1;
    return [Buffer.from([61 << 2, more & 255, more >>> 8]), part];
  });
  return Buffer.concat([Buffer.from(length), ...literals]);
}

function lz4(bytes: Buffer): Buffer {
  const blocks = cut(bytes, LZ4_BLOCK).flatMap((part) => {
    const more = part.length - 15;
    const length = more < 0 ? [] : [...new Array(Math.floor(more / 255)).fill(255), more % 255];
    const token = Math.min(15, part.length) << 4;
    return [fourBytes(1 + length.length + part.length, false), Buffer.from([token, ...length]), part];
  });
  return Buffer.concat([LZ4_HEADER, ...blocks, Buffer.alloc(4)]);
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}

function fourBytes(value: number, isBigEndian: boolean): Buffer {
  const bytes = Buffer.alloc(4);
  if (isBigEndian) bytes.writeUInt32BE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
}
