/** Reads of one endpoint: its records in each partition, merged in the order in which they arrived. */
import { offsetIn, type Position } from "../../shared/protocol/position.ts";
import type { BatchBlob } from "./batch-blob.ts";
import type { Batches } from "./batches.ts";
import { horizonOf, type IndexedPartition } from "./indexed-partitions.ts";
import { type IndexedRecord, recordBytes } from "./record.ts";

export interface PageLimits {
  readonly maxRecords: number;
  /** Of key, value and headers. The first record is taken whatever its size. */
  readonly maxBytes: number;
}

/** One key in one partition. */
export class Chain {
  readonly partition: IndexedPartition;
  /** Offset of the last record. */
  readonly tail: number;
  readonly #key: Uint8Array;
  readonly #batches: Batches;
  /** The last record, if it is held beyond its batch; there are no others then. */
  readonly #kept: BatchBlob | undefined;
  #blob: BatchBlob | undefined;

  constructor(
    partition: IndexedPartition,
    key: Uint8Array,
    tail: number,
    batches: Batches,
    kept: BatchBlob | undefined,
  ) {
    this.partition = partition;
    this.tail = tail;
    this.#key = key;
    this.#batches = batches;
    this.#kept = kept;
  }

  /** The records that are held, newest first: from before the horizon the last one only. */
  *newestFirst(): Generator<IndexedRecord, void> {
    const horizon = horizonOf(this.partition);
    let offset: number | undefined = this.tail;
    while (offset !== undefined) {
      const record = this.#at(offset);
      if (record === undefined) return;
      yield record;
      offset = record.previous !== undefined && record.previous >= horizon ? record.previous : undefined;
    }
  }

  /**
   * The oldest records after an offset, oldest first: all of them, or at least one more than the limits allow.
   *
   * Two ways lead there. Walking back from the tail reads a batch for each of a rare key's records; reading
   * on from the offset reads every batch, but only few of them if the key is frequent. They take turns, and
   * the first to arrive has the answer, so neither a rare nor a busy key makes this read the whole partition.
   */
  oldestAfter(from: number, limits: PageLimits): IndexedRecord[] {
    if (this.tail <= from) return [];
    // There is but one.
    if (this.tail < horizonOf(this.partition)) return [...this.newestFirst()];
    const back = this.#offsetsBack(from);
    const on = this.#offsetsOn(from, limits.maxRecords + 1);
    let offsets: readonly number[] | undefined;
    while (offsets === undefined) {
      const step = back.next();
      if (step.done) offsets = step.value.reverse();
      else {
        const other = on.next();
        if (other.done) offsets = other.value;
      }
    }
    const records: IndexedRecord[] = [];
    let bytes = 0;
    for (const offset of offsets) {
      if (records.length > limits.maxRecords || (records.length > 1 && bytes > limits.maxBytes)) break;
      const record = this.#at(offset);
      if (record === undefined) continue;
      records.push(record);
      bytes += recordBytes(record);
    }
    return records;
  }

  /** All offsets after `from`, newest first. Yields after each batch that it reads. */
  *#offsetsBack(from: number): Generator<void, number[]> {
    const offsets: number[] = [];
    const before = Math.max(from, horizonOf(this.partition) - 1);
    let blob: BatchBlob | undefined;
    let offset: number | undefined = this.tail;
    while (offset !== undefined && offset > before) {
      const buffered: IndexedRecord | undefined = this.#bufferedAt(offset);
      if (buffered !== undefined) {
        offsets.push(offset);
        offset = buffered.previous;
        continue;
      }
      if (blob === undefined || offset < blob.firstOffset) {
        if (blob !== undefined) yield;
        blob = this.#blobAt(offset);
      }
      const index: number | undefined = blob?.find(offset);
      if (blob === undefined || index === undefined) break;
      offsets.push(offset);
      offset = blob.previous(index);
    }
    return offsets;
  }

  /** The first `count` offsets after `from`, oldest first. Yields after each batch that it reads. */
  *#offsetsOn(from: number, count: number): Generator<void, number[]> {
    const offsets: number[] = [];
    let next = Math.max(from + 1, horizonOf(this.partition));
    for (;;) {
      const blob = this.#batches.endingAtOrAfter(this.partition.id, next);
      if (blob === undefined) break;
      for (let index = blob.firstAt(next); index < blob.count; index++) {
        if (!blob.hasKey(index, this.#key)) continue;
        offsets.push(blob.offset(index));
        if (offsets.length === count) return offsets;
      }
      next = blob.lastOffset + 1;
      yield;
    }
    // If `from` or the horizon lies among these, the way back has arrived before.
    for (const record of this.partition.buffered) {
      if (!equal(record.key, this.#key)) continue;
      offsets.push(record.offset);
      if (offsets.length === count) break;
    }
    return offsets;
  }

  #at(offset: number): IndexedRecord | undefined {
    const buffered = this.#bufferedAt(offset);
    if (buffered !== undefined) return buffered;
    if (this.#blob === undefined || offset < this.#blob.firstOffset || offset > this.#blob.lastOffset)
      this.#blob = this.#blobAt(offset);
    const index = this.#blob?.find(offset);
    return index === undefined ? undefined : this.#blob?.record(index, this.partition.epoch);
  }

  #blobAt(offset: number): BatchBlob | undefined {
    if (offset < this.partition.stored.horizon) return this.#kept;
    return this.#batches.endingAtOrAfter(this.partition.id, offset);
  }

  #bufferedAt(offset: number): IndexedRecord | undefined {
    const { buffered } = this.partition;
    if (buffered.length === 0 || offset < (buffered[0]?.offset ?? 0)) return undefined;
    let low = 0;
    let high = buffered.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((buffered[middle]?.offset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    const record = buffered[low];
    return record?.offset === offset ? record : undefined;
  }
}

/** The last record to arrive. */
export function latestOf(chains: readonly Chain[]): IndexedRecord | undefined {
  let latest: IndexedRecord | undefined;
  for (const chain of chains) {
    const { value } = chain.newestFirst().next();
    if (value && (latest === undefined || value.arrival > latest.arrival)) latest = value;
  }
  return latest;
}

/** The oldest records after `from`, in order of arrival, and whether there are more. */
export function pageAfter(
  chains: readonly Chain[],
  from: Position,
  limits: PageLimits,
): { records: IndexedRecord[]; more: boolean } {
  const found: IndexedRecord[] = [];
  for (const chain of chains) found.push(...chain.oldestAfter(offsetIn(from, chain.partition.epoch), limits));
  if (chains.length > 1) found.sort((a, b) => a.arrival - b.arrival);
  let bytes = 0;
  let count = 0;
  for (const record of found) {
    bytes += recordBytes(record);
    if (count > 0 && (count >= limits.maxRecords || bytes > limits.maxBytes)) break;
    count++;
  }
  return { records: found.slice(0, count), more: count < found.length };
}

/** The newest records, oldest first: the last one always, the others within limits and not older than `oldest`. */
export function newestOf(chains: readonly Chain[], limits: PageLimits, oldest: number): IndexedRecord[] {
  const heads = chains.flatMap((chain) => {
    const records = chain.newestFirst();
    const { value } = records.next();
    return value ? [{ records, value }] : [];
  });
  const found: IndexedRecord[] = [];
  let bytes = 0;
  for (;;) {
    const head = heads.reduce<(typeof heads)[number] | undefined>(
      (newest, other) =>
        newest === undefined || other.value.arrival > newest.value.arrival ? other : newest,
      undefined,
    );
    if (head === undefined) break;
    const record = head.value;
    bytes += recordBytes(record);
    const beyond =
      found.length >= limits.maxRecords ||
      bytes > limits.maxBytes ||
      (record.timestamp !== undefined && record.timestamp < oldest);
    if (found.length > 0 && beyond) break;
    found.push(record);
    const { value } = head.records.next();
    if (value) head.value = value;
    else heads.splice(heads.indexOf(head), 1);
  }
  return found.reverse();
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
