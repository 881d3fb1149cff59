/**
 * The batches within a fetch's answer, by their headers alone: which there are, where they lie, who wrote them. Of older formats
 * a message stands where a batch does. Their records are in record-batches.ts.
 */
import { crc32c } from "./crc32c.ts";
import { type Long, WireError, WireReader } from "./wire.ts";

/** Before a batch's length ends, and where its parts are. */
const LENGTH_END = 12;
const MAGIC_AT = 16;
const CHECKSUM_AT = 17;
const CHECKED_FROM = 21;
const HEADER_END = 61;
const MAGIC = 2;
/** In messages of older formats, which stand where batches do. */
const OLD_ATTRIBUTES_AT = 17;
const OLD_ATTRIBUTES = 0x0f;
const NO_PRODUCER = -1;
const NO_PRODUCER_EPOCH = -1;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** If it isn't known who led when a record was written. */
export const UNKNOWN_EPOCH = -1;

/** How far a partition has been read. */
export interface Reached {
  readonly offset: number;
  /**
   * Kafka's leader epoch of the last record before `offset`, or UNKNOWN_EPOCH. If a log was
   * truncated it holds that offset in another one, and the broker can say so.
   */
  readonly leaderEpoch: number;
}

export interface BatchHeader {
  readonly magic: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Of the broker that wrote it. */
  readonly leaderEpoch: number;
  readonly attributes: number;
  readonly firstTimestamp: Long;
  readonly maxTimestamp: Long;
  readonly producerId: Long;
  readonly producerEpoch: number;
  readonly count: number;
  /** Where it lies in the answer, and where its records do. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/** Where to fetch next: after the last whole batch, whether or not its records remain; `from` itself if there is none. */
export function wholeTo(answer: Buffer, from: Reached): Reached {
  let next = from;
  for (let batch = batchAt(answer, 0); batch !== undefined; batch = batchAt(answer, batch.to))
    if (batch.lastOffset >= next.offset)
      next = { offset: batch.lastOffset + 1, leaderEpoch: batch.leaderEpoch };
  return next;
}

/** The same of a broker that gives at least one that is whole, or nothing. Throws WireError. */
export function readTo(answer: Buffer, from: Reached): Reached {
  const next = wholeTo(answer, from);
  if (next === from && answer.length > 0) throw new WireError(NONE_WHOLE);
  return next;
}

const NONE_WHOLE = "there is no whole batch in an answer";
/** Of an answer with one batch, packed: Kafka's own bounds for one are far below. */
const MOST_BYTES = 128 * 1024 * 1024;

/**
 * How many bytes to ask for after an answer without a whole batch of those that were wanted. Kafka gives at least one, however
 * little was asked for. Other logs cut that, too, or begin with earlier ones, where their index knows a place.
 * Throws WireError if more would be no help.
 * @param asked how many were asked for, if it was more than usual
 */
export function wantedBytes(answer: Buffer, asked = 0): number {
  let end = 0;
  while (end + LENGTH_END <= answer.length) end += LENGTH_END + Math.max(0, answer.readInt32BE(end + 8));
  const wanted = Math.max(end, 2 * answer.length);
  if (answer.length < asked || wanted > MOST_BYTES) throw new WireError(NONE_WHOLE);
  return wanted;
}

/**
 * Whether what follows was written before what was read: another log then, or one that lost its end. Only of brokers that
 * don't see it for themselves. A log needn't keep the epochs of its leaders in order, so its leader must be of an older one, too.
 * @param leader Kafka's epoch of the present leader, or UNKNOWN_EPOCH
 */
export function isOlder(answer: Buffer, after: Reached, leader: number): boolean {
  if (leader === UNKNOWN_EPOCH || leader >= after.leaderEpoch) return false;
  for (const { lastOffset, leaderEpoch } of batches(answer))
    if (lastOffset >= after.offset) return leaderEpoch !== UNKNOWN_EPOCH && leaderEpoch < after.leaderEpoch;
  return false;
}

/** Whole batches only: the broker cuts where the bytes it was asked for end. */
export function* batches(answer: Buffer): Generator<BatchHeader, void, void> {
  for (let batch = batchAt(answer, 0); batch !== undefined; batch = batchAt(answer, batch.to)) yield batch;
}

/** The batch that begins there; undefined if it isn't whole, or there is none. The next one begins where it ends. */
export function batchAt(answer: Buffer, at: number): BatchHeader | undefined {
  if (at + LENGTH_END > answer.length) return undefined;
  const end = at + LENGTH_END + answer.readInt32BE(at + 8);
  if (end > answer.length) return undefined;
  if (end <= at + OLD_ATTRIBUTES_AT) throw new WireError("a batch is shorter than its header");
  const magic = answer.readInt8(at + MAGIC_AT);
  if (magic < 0 || magic > MAGIC) throw new WireError(`records of format ${magic} are unknown`);
  const firstOffset = new WireReader(answer, at).int64();
  if (magic < MAGIC) return oldHeader(magic, firstOffset, answer.readInt8(at + OLD_ATTRIBUTES_AT), at, end);
  if (end < at + HEADER_END) throw new WireError("a batch is shorter than its header");
  const reader = new WireReader(answer, at + CHECKED_FROM, end);
  const attributes = reader.int16();
  const lastOffset = firstOffset + reader.int32();
  if (lastOffset < firstOffset || !Number.isSafeInteger(lastOffset))
    throw new WireError(`the batch at ${firstOffset} ends before it begins, or where no log does`);
  const firstTimestamp = reader.long();
  const maxTimestamp = reader.long();
  const producerId = reader.long();
  const producerEpoch = reader.int16();
  reader.skip(4); // sequence
  const count = reader.int32();
  return {
    magic,
    firstOffset,
    lastOffset,
    leaderEpoch: answer.readInt32BE(at + LENGTH_END),
    attributes,
    firstTimestamp,
    maxTimestamp,
    producerId,
    producerEpoch,
    count,
    at,
    from: at + HEADER_END,
    to: end,
  };
}

/** A message with others within has the offset of the last of them. */
function oldHeader(magic: number, offset: number, attributes: number, at: number, to: number): BatchHeader {
  const [firstTimestamp, maxTimestamp, producerId, count] = [0, 0, NO_PRODUCER, 1];
  const header = { magic, firstOffset: offset, lastOffset: offset, leaderEpoch: UNKNOWN_EPOCH, producerId };
  return {
    ...header,
    producerEpoch: NO_PRODUCER_EPOCH,
    attributes: attributes & OLD_ATTRIBUTES,
    firstTimestamp,
    maxTimestamp,
    count,
    at,
    from: at,
    to,
  };
}

/** Messages of older formats are checked one by one. */
export function checkBatch({ magic, at, to, firstOffset }: BatchHeader, answer: Buffer): void {
  if (magic === MAGIC && crc32c(answer, at + CHECKED_FROM, to) !== answer.readUInt32BE(at + CHECKSUM_AT))
    throw new WireError(`the batch at ${firstOffset} is damaged`);
}

/** Whether it is a mark that ends a transaction. */
export const isMark = ({ attributes }: BatchHeader) => (attributes & CONTROL) !== 0;

/** Whether it was appended outside of transactions by a producer that numbers what it sends. */
export const isIdempotent = ({ attributes, producerId }: BatchHeader) =>
  producerId !== NO_PRODUCER && (attributes & (TRANSACTIONAL | CONTROL)) === 0;

/** Whether it is of a transaction; its marks are, too. */
export const isTransactional = ({ attributes }: BatchHeader) => (attributes & TRANSACTIONAL) !== 0;

/** Whether it is a message of an older format. */
export const isOld = ({ magic }: BatchHeader) => magic < MAGIC;
