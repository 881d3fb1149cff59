/** Writes a batch of records as Kafka's format 2 has it, for an idempotent producer: the counterpart of record-batches.ts. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { RecordHeader } from "../source/source.ts";
import { crc32c } from "./crc32c.ts";

export interface ProducedRecord {
  readonly key: Uint8Array | null;
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** What a batch is numbered by: a broker takes each sequence once, and nothing of an epoch before the newest. */
export interface Numbered {
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Of the first record. */
  readonly sequence: number;
}

/** What Kafka numbers codecs by. Those without a compressor in Node aren't written. */
const CODECS = {
  none: { number: 0, compress: (bytes: Buffer) => bytes },
  gzip: { number: 1, compress: (bytes: Buffer) => gzipSync(bytes) },
  zstd: { number: 4, compress: (bytes: Buffer) => zstdCompressSync(bytes) },
} as const;

export type ProducedCodec = keyof typeof CODECS;

export const PRODUCED_CODECS = Object.keys(CODECS) as readonly ProducedCodec[];

const HEADER_BYTES = 61;
/** What the length that a batch begins with doesn't count: the offset before it, and itself. */
const UNCOUNTED_BYTES = 12;
const MAGIC = 2;
const CHECKED_FROM = 21;
const UNKNOWN_LEADER_EPOCH = -1;

/** @param timestamp Of all its records, in milliseconds since 1970. */
export function producedBatch(
  records: readonly ProducedRecord[],
  { producerId, producerEpoch, sequence }: Numbered,
  timestamp: number,
  codec: ProducedCodec = "none",
  attributes = 0,
): Buffer {
  const { number, compress } = CODECS[codec];
  const body = compress(bodyOf(records));
  const batch = Buffer.alloc(HEADER_BYTES + body.length);
  batch.writeInt32BE(batch.length - UNCOUNTED_BYTES, 8);
  batch.writeInt32BE(UNKNOWN_LEADER_EPOCH, 12);
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(attributes | number, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(timestamp), 27);
  batch.writeBigInt64BE(BigInt(timestamp), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(producerEpoch, 51);
  batch.writeInt32BE(sequence, 53);
  batch.writeInt32BE(records.length, 57);
  batch.set(body, HEADER_BYTES);
  batch.writeUInt32BE(crc32c(batch, CHECKED_FROM, batch.length), 17);
  return batch;
}

function bodyOf(records: readonly ProducedRecord[]): Buffer {
  const named = records.map(({ headers }) => headers.map(([name]) => Buffer.from(name)));
  const lengths = records.map((record, i) => lengthOf(record, i, named[i] ?? []));
  const body = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + sizeOf(length) + length, 0));
  let at = 0;
  const number = (value: number) => {
    at = writeVarint(body, at, value);
  };
  const bytes = (value: Uint8Array | null) => {
    number(value === null ? -1 : value.length);
    if (value === null) return;
    body.set(value, at);
    at += value.length;
  };
  for (const [i, { key, value, headers }] of records.entries()) {
    number(lengths[i] ?? 0);
    number(0); // attributes, of which there are none
    number(0); // time, after the batch's
    number(i);
    bytes(key);
    bytes(value);
    number(headers.length);
    for (const [h, [, content]] of headers.entries()) {
      bytes(named[i]?.[h] ?? null);
      bytes(content);
    }
  }
  return body;
}

function lengthOf({ key, value, headers }: ProducedRecord, delta: number, names: readonly Buffer[]): number {
  let length = 2 + sizeOf(delta) + fieldSize(key) + fieldSize(value) + sizeOf(headers.length);
  for (const [h, [, content]] of headers.entries())
    length += fieldSize(names[h] ?? null) + fieldSize(content);
  return length;
}

const fieldSize = (bytes: Uint8Array | null) => (bytes === null ? 1 : sizeOf(bytes.length) + bytes.length);

/** Bytes of a zigzag varint. */
function sizeOf(value: number): number {
  let size = 1;
  for (let left = zigzag(value); left >= 0x80; left = Math.floor(left / 0x80)) size++;
  return size;
}

function writeVarint(into: Buffer, at: number, value: number): number {
  let end = at;
  let left = zigzag(value);
  for (; left >= 0x80; left = Math.floor(left / 0x80)) into[end++] = (left & 0x7f) | 0x80;
  into[end++] = left;
  return end;
}

const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
