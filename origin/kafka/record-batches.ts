/**
 * The records within a fetch's answer: decompressed, without those of aborted transactions and without the
 * log's own marks, in parts small enough to be handled at once.
 */
import type { RecordHeader, SourceRecord } from "../source/source.ts";
import { type BatchHeader, batchAt, checkBatch, isMark, isOld, isTransactional } from "./batch-headers.ts";
import { CODEC_MASK, decompress } from "./compression.ts";
import type { AbortedTransaction } from "./fetch-request.ts";
import { messageIn } from "./message-sets.ts";
import {
  atOnce,
  type Contents,
  type NextRecord,
  type Packed,
  partsWithin,
  type Unpacking,
} from "./packed.ts";
import { type Part, Parts } from "./parts.ts";
import { type Long, sumOf, timeOf, WireError, WireReader } from "./wire.ts";

/** Bytes of a record's length, at most. */
const MAX_VARINT = 5;
const LOG_APPEND_TIME = 0x08;

/**
 * The parts in offset order, from `from` on; what is dropped advances `nextOffset`. In place of parts that must wait for memory
 * it yields who brings them: all of these are to be taken before the next step, and what goes wrong there is to be thrown in.
 * Throws WireError.
 *
 * The log gives every record the offset that follows, so one that is skipped was removed: between batches, which keep
 * their bounds, and within them. Only in what is dropped here it doesn't matter what is still there: an aborted
 * record was never one, and the cleaner empties marks of transactions before it takes them.
 */
export function* stepsOf(
  answer: Buffer,
  from: number,
  aborted: readonly AbortedTransaction[],
  unpacking: Unpacking,
): Generator<Part | AsyncGenerator<Part, undefined, void>, undefined, void> {
  const isAborted = abortFilter(aborted);
  const parts = new Parts(from);
  let last: BatchHeader | undefined;
  try {
    for (let batch = batchAt(answer, 0); batch !== undefined; batch = batchAt(answer, batch.to)) {
      last = batch;
      checkBatch(batch, answer);
      if (isAborted(batch, answer)) parts.drop(batch.firstOffset, batch.lastOffset);
      else {
        const content = contentOf(batch, answer);
        if ("next" in content) while (parts.fill(content.next)) yield parts.take();
        else if (!(yield* atOnce(content, parts, unpacking))) yield partsWithin(content, parts, unpacking);
        parts.end(batch.lastOffset);
      }
    }
  } catch (error) {
    // What lies before the damage can be read, and is.
    if (!parts.isEmpty) yield parts.take();
    if (!(error instanceof WireError) || last === undefined || last.lastOffset < parts.nextOffset)
      throw error;
    const { firstOffset, lastOffset } = last;
    const which = `in the batch of the offsets ${firstOffset} to ${lastOffset}`;
    throw new WireError(`${which}: ${error.message}`, lastOffset + 1, { cause: error });
  }
  if (!parts.isEmpty) yield parts.take();
}

/**
 * Answers for each batch in turn whether it is to be dropped. Transactions of one producer follow one another,
 * so it is enough to know, per producer, whether the present one was aborted: from the offset at which the
 * broker says that it began until its abort mark.
 */
function abortFilter(
  aborted: readonly AbortedTransaction[],
): (batch: BatchHeader, answer: Buffer) => boolean {
  // As nearly all: none was aborted, and marks are nobody's.
  if (aborted.length === 0) return isMark;
  const coming = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<Long>();
  let met = 0;
  return (batch, answer) => {
    const { producerId, lastOffset, count, from, to } = batch;
    for (; met < coming.length; met++) {
      const transaction = coming[met];
      if (transaction === undefined || transaction.firstOffset > lastOffset) break;
      aborting.add(transaction.producerId);
    }
    if (isMark(batch)) {
      // Compaction may leave a control batch without its mark.
      if (count > 0 && isAbortMark(new WireReader(answer, from, to))) aborting.delete(producerId);
      return true;
    }
    return isTransactional(batch) && aborting.has(producerId);
  };
}

/** All records of a batch of format 2, unpacked at once. Throws WireError, and TooLargeError past the bound. */
export function* recordsOf(batch: BatchHeader, answer: Buffer, maxBytes: number): Generator<SourceRecord> {
  checkBatch(batch, answer);
  const run = decompress(batch.attributes, answer.subarray(batch.from, batch.to), maxBytes);
  const { records, end } = contentsOf(batch);
  const next = records(run);
  for (let record = next(); record !== undefined; record = next()) yield record;
  end();
}

/** A control record's key is a version and a type, of which 0 is an abort. */
function isAbortMark(reader: WireReader): boolean {
  reader.varint();
  reader.int8();
  reader.varlong();
  reader.varint();
  if (reader.varint() < 4) throw new WireError("a control record has no type");
  reader.int16();
  return reader.int16() === 0;
}

/** One record after another, as they lie in the answer; or what it takes to unpack them. */
function contentOf(batch: BatchHeader, answer: Buffer): { readonly next: NextRecord } | Packed {
  if (isOld(batch)) return messageIn(answer, batch.at, batch.to);
  const bytes = answer.subarray(batch.from, batch.to);
  const { attributes } = batch;
  if ((attributes & CODEC_MASK) !== 0)
    return { attributes, bytes, lengthAt: recordLength, contents: () => contentsOf(batch) };
  const { records, end } = contentsOf(batch);
  const next = records(bytes);
  return {
    next: () => {
      const record = next();
      if (record === undefined) end();
      return record;
    },
  };
}

/** Not a generator, which would leave a quarter more to collect. */
function contentsOf(batch: BatchHeader): Contents {
  const { attributes, count, firstOffset, lastOffset, firstTimestamp, maxTimestamp } = batch;
  let left = count;
  return {
    records: (run) => {
      const reader = new WireReader(run);
      return () => {
        if (left <= 0 || reader.offset >= run.length) return undefined;
        left--;
        const length = reader.varint();
        const end = reader.offset + length;
        reader.int8(); // attributes, of which there are none
        const createdAt = sumOf(firstTimestamp, reader.varlong());
        const timestamp = timeOf((attributes & LOG_APPEND_TIME) !== 0 ? maxTimestamp : createdAt);
        const offset = firstOffset + reader.varint();
        // Else reading would go on beyond records that are yet to come, or come to the same ones again.
        if (offset < firstOffset || offset > lastOffset)
          throw new WireError(`the record at ${offset} lies outside of its batch`);
        const key = nullable(reader);
        const value = nullable(reader);
        const headers = headersOf(reader);
        if (reader.offset !== end) throw new WireError(`the record at ${offset} is not as long as it says`);
        return { offset, timestamp, key, value, headers };
      };
    },
    end: () => {
      if (left > 0) throw new WireError(`${left} records of the batch at ${firstOffset} are missing`);
    },
  };
}

/** With the number that says it. */
function recordLength(bytes: Buffer, at: number): number | undefined {
  let end = at;
  while (end < bytes.length && (bytes[end] ?? 0) >= 0x80 && end - at < MAX_VARINT) end++;
  if (end >= bytes.length) return undefined;
  const reader = new WireReader(bytes, at);
  const length = reader.varint();
  if (length < 0) throw new WireError("a record is shorter than nothing");
  return reader.offset - at + length;
}

/** Most records have none, and share that. */
const NO_HEADERS: readonly RecordHeader[] = [];

function headersOf(reader: WireReader): readonly RecordHeader[] {
  let left = reader.varint();
  if (left <= 0) return NO_HEADERS;
  const headers: RecordHeader[] = [];
  for (; left > 0; left--) headers.push([reader.slice(reader.varint()).toString(), nullable(reader)]);
  return headers;
}

function nullable(reader: WireReader): Buffer | null {
  const length = reader.varint();
  return length === -1 ? null : reader.slice(length);
}
