/** Writes a batch of records as Kafka's format 2 has it, for an idempotent producer: the counterpart of record-batches.ts. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { MARK_BYTES, MARK_HEADER, type Mark, putMark } from "../publish/mark.ts";
import type { RecordHeader } from "../source/source.ts";
import { crc32c } from "./crc32c.ts";
import type { Long } from "./wire.ts";

export interface ProducedRecord {
  readonly key: Uint8Array | null;
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  /** Behind the headers, as one more. */
  readonly mark?: Mark | undefined;
}

/** What a batch is numbered by: a broker takes each sequence once, and nothing of an epoch before the newest. */
export interface Numbered {
  readonly producerId: Long;
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
  const lengths = records.map(lengthOf);
  const body = new Body(lengths.reduce((sum, length) => sum + sizeOf(length) + length, 0));
  let delta = 0;
  for (const { key, value, headers, mark } of records) {
    body.number(lengths[delta] ?? 0);
    body.number(0); // attributes, of which there are none
    body.number(0); // time, after the batch's
    body.number(delta++);
    body.field(key);
    body.field(value);
    body.number(headers.length + (mark === undefined ? 0 : 1));
    for (const [name, content] of headers) {
      body.text(name);
      body.field(content);
    }
    if (mark !== undefined) body.mark(mark);
  }
  return body.bytes;
}

function lengthOf({ key, value, headers, mark }: ProducedRecord, delta: number): number {
  const count = headers.length + (mark === undefined ? 0 : 1);
  let length = 2 + sizeOf(delta) + fieldSize(key) + fieldSize(value) + sizeOf(count);
  if (mark !== undefined) length += MARK_BEGIN.length + MARK_BYTES;
  for (const [name, content] of headers) {
    const nameBytes = Buffer.byteLength(name);
    length += sizeOf(nameBytes) + nameBytes + fieldSize(content);
  }
  return length;
}

const fieldSize = (bytes: Uint8Array | null) => (bytes === null ? 1 : sizeOf(bytes.length) + bytes.length);

/** What is before a mark: its header's name, and both lengths. */
const MARK_BEGIN = Buffer.from([2 * MARK_HEADER.length, ...Buffer.from(MARK_HEADER), 2 * MARK_BYTES]);

/** Bytes of a zigzag varint, of a number from 0 to 2³¹ - 1. */
function sizeOf(value: number): number {
  const zigzag = 2 * value;
  return zigzag < 2 ** 7 ? 1 : zigzag < 2 ** 14 ? 2 : zigzag < 2 ** 21 ? 3 : zigzag < 2 ** 28 ? 4 : 5;
}

/** What a batch has behind its header, being written. */
class Body {
  readonly bytes: Buffer;
  #at = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** From -1, which stands for null, up to 2³¹ - 1. */
  number(value: number): void {
    let left = value < 0 ? 1 : 2 * value;
    for (; left >= 0x80; left >>>= 7) this.bytes[this.#at++] = (left & 0x7f) | 0x80;
    this.bytes[this.#at++] = left;
  }

  field(field: Uint8Array | null): void {
    this.number(field === null ? -1 : field.length);
    if (field === null) return;
    this.bytes.set(field, this.#at);
    this.#at += field.length;
  }

  mark(mark: Mark): void {
    for (let i = 0; i < MARK_BEGIN.length; i++) this.bytes[this.#at++] = MARK_BEGIN[i] ?? 0;
    putMark(mark, this.bytes, this.#at);
    this.#at += MARK_BYTES;
  }

  text(text: string): void {
    this.number(Buffer.byteLength(text));
    this.#at += this.bytes.write(text, this.#at);
  }
}
