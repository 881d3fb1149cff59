/** Record batches as a broker holds them, made by hand: also such as no producer writes. */
import { crc32, gzipSync } from "node:zlib";
import { crc32c } from "../../origin/kafka/crc32c.ts";
import type { TestCodec } from "./compressed.ts";

export interface BatchShape {
  readonly firstOffset: number;
  readonly values: readonly string[];
  /** Of the records' offsets from the first one; one after the other unless told. */
  readonly deltas: readonly number[];
  /** Beyond the last record's where compaction took some. */
  readonly lastOffset: number;
  readonly producerId: number | bigint;
  readonly transactional: boolean;
  readonly timestamp: number | bigint;
  /** Of each record, where that isn't the batch's. */
  readonly timestamps: readonly (number | bigint)[];
  /** Of the broker that wrote it. */
  readonly leaderEpoch: number;
  readonly codec: TestCodec;
  /** What its header says, if not how many there are. */
  readonly count: number;
}

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

export function recordBatch(shape: Pick<BatchShape, "firstOffset" | "values"> & Partial<BatchShape>): Buffer {
  const { firstOffset, values, lastOffset = firstOffset + values.length - 1 } = shape;
  const { timestamp = 0, timestamps = [] } = shape;
  const records = values.map((value, i) => {
    const delta = BigInt.asIntN(64, BigInt(timestamps[i] ?? timestamp) - BigInt(timestamp));
    return record(shape.deltas?.[i] ?? i, null, Buffer.from(value), delta);
  });
  return batch(shape, lastOffset, shape.transactional === true ? TRANSACTIONAL : 0, records);
}

/** The mark that ends a transaction. */
export function controlBatch(offset: number, producerId: number | bigint, type: "abort" | "commit"): Buffer {
  const mark = record(0, Buffer.from([0, 0, 0, type === "abort" ? 0 : 1]), Buffer.alloc(6));
  return batch({ firstOffset: offset, producerId }, offset, TRANSACTIONAL | CONTROL, [mark]);
}

function batch(
  shape: Pick<BatchShape, "firstOffset"> & Partial<BatchShape>,
  lastOffset: number,
  attributes: number,
  records: readonly Buffer[],
): Buffer {
  const { firstOffset, producerId = -1, timestamp = 0, codec, count = records.length } = shape;
  const header = Buffer.alloc(61);
  const plain = Buffer.concat(records);
  const body = codec === undefined ? plain : codec.compress(plain);
  header.writeBigInt64BE(BigInt(firstOffset), 0);
  header.writeInt32BE(49 + body.length, 8);
  header.writeInt8(2, 16);
  header.writeInt16BE(attributes | (codec?.number ?? 0), 21);
  header.writeInt32BE(lastOffset - firstOffset, 23);
  header.writeBigInt64BE(BigInt(timestamp), 27);
  header.writeBigInt64BE(BigInt(timestamp), 35);
  header.writeBigInt64BE(BigInt(producerId), 43);
  header.writeInt32BE(shape.leaderEpoch ?? 0, 12);
  header.writeInt32BE(count, 57);
  return withChecksum(Buffer.concat([header, body]));
}

export interface MessageShape {
  readonly magic: 0 | 1;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | Buffer | null;
  /** Of the formats only 1 has it. */
  readonly timestamp: number | bigint;
  readonly attributes: number;
}

/** A message of an older format. */
export function oldMessage(shape: Pick<MessageShape, "magic" | "offset"> & Partial<MessageShape>): Buffer {
  const { magic, offset, key = null, value = "", timestamp = 0, attributes = 0 } = shape;
  const field = (bytes: string | Buffer | null) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes === null ? -1 : Buffer.byteLength(bytes));
    return Buffer.concat([length, Buffer.from(bytes ?? "")]);
  };
  const time = Buffer.alloc(8);
  time.writeBigInt64BE(BigInt(timestamp));
  const checked = Buffer.concat([
    Buffer.from([magic, attributes]),
    ...(magic === 1 ? [time] : []),
    field(key),
    field(value),
  ]);
  const header = Buffer.alloc(16);
  header.writeBigInt64BE(BigInt(offset));
  header.writeInt32BE(4 + checked.length, 8);
  header.writeUInt32BE(crc32(checked), 12);
  return Buffer.concat([header, checked]);
}

/** Messages within another, compressed. */
export function oldBatch(
  magic: 0 | 1,
  offset: number,
  messages: readonly Buffer[],
  { timestamp = 0, attributes = 0 } = {},
): Buffer {
  const value = gzipSync(Buffer.concat(messages));
  return oldMessage({ magic, offset, value, timestamp, attributes: attributes | 1 });
}

/** As if all else of it had been meant so. */
export function withChecksum(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17);
  return batch;
}

function record(offsetDelta: number, key: Buffer | null, value: Buffer, timeDelta = 0n): Buffer {
  const field = (bytes: Buffer | null) => (bytes === null ? [varint(-1)] : [varint(bytes.length), bytes]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(timeDelta),
    varint(offsetDelta),
    ...field(key),
    ...field(value),
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) + 128);
  return Buffer.from([...bytes, Number(left)]);
}
