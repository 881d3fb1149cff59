/** Record batches as a broker holds them, made by hand: also such as no producer writes. */
export interface BatchShape {
  readonly firstOffset: number;
  readonly values: readonly string[];
  /** Beyond the last record's where compaction took some. */
  readonly lastOffset: number;
  readonly producerId: number;
  readonly transactional: boolean;
  readonly timestamp: number;
}

const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

export function recordBatch(shape: Pick<BatchShape, "firstOffset" | "values"> & Partial<BatchShape>): Buffer {
  const { firstOffset, values, lastOffset = firstOffset + values.length - 1 } = shape;
  const records = values.map((value, i) => record(i, null, Buffer.from(value)));
  return batch(shape, lastOffset, shape.transactional === true ? TRANSACTIONAL : 0, records);
}

/** The mark that ends a transaction. */
export function controlBatch(offset: number, producerId: number, type: "abort" | "commit"): Buffer {
  const mark = record(0, Buffer.from([0, 0, 0, type === "abort" ? 0 : 1]), Buffer.alloc(6));
  return batch({ firstOffset: offset, producerId }, offset, TRANSACTIONAL | CONTROL, [mark]);
}

function batch(
  { firstOffset, producerId = -1, timestamp = 0 }: Pick<BatchShape, "firstOffset"> & Partial<BatchShape>,
  lastOffset: number,
  attributes: number,
  records: readonly Buffer[],
): Buffer {
  const header = Buffer.alloc(61);
  const body = Buffer.concat(records);
  header.writeBigInt64BE(BigInt(firstOffset), 0);
  header.writeInt32BE(49 + body.length, 8);
  header.writeInt8(2, 16);
  header.writeInt16BE(attributes, 21);
  header.writeInt32BE(lastOffset - firstOffset, 23);
  header.writeBigInt64BE(BigInt(timestamp), 27);
  header.writeBigInt64BE(BigInt(timestamp), 35);
  header.writeBigInt64BE(BigInt(producerId), 43);
  header.writeInt32BE(records.length, 57);
  const whole = Buffer.concat([header, body]);
  whole.writeUInt32BE(crc32c(whole.subarray(21)), 17);
  return whole;
}

function record(offsetDelta: number, key: Buffer | null, value: Buffer): Buffer {
  const field = (bytes: Buffer | null) => (bytes === null ? [varint(-1)] : [varint(bytes.length), bytes]);
  const body = Buffer.concat([
    Buffer.from([0]),
    varint(0),
    varint(offsetDelta),
    ...field(key),
    ...field(value),
    varint(0),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value < 0 ? -2 * value - 1 : 2 * value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Buffer.from([...bytes, left]);
}

/** Makes the sums of all batches right again, as far as they can still be found. */
export function sumAnew(batches: Buffer): void {
  for (let at = 0; at + 61 <= batches.length; ) {
    const end = at + 12 + batches.readInt32BE(at + 8);
    if (end < at + 61 || end > batches.length) return;
    batches.writeUInt32BE(crc32c(batches.subarray(at + 21, end)), at + 17);
    at = end;
  }
}

/** The sum of a batch, from its attributes on: Castagnoli's polynomial, bit by bit. */
export function crc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}
