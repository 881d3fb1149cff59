/**
 * The way in: records are buffered in memory and written for all partitions together, so that a trickle
 * doesn't become one tiny batch and one transaction for each record. What a transaction writes and the
 * offset to go on from are committed together.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Batch, isTorn, type SourceRecord } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { packedBytes } from "./batch-blob.ts";
import { type Batches, cut } from "./batches.ts";
import type { IndexedPartition, IndexedPartitions, Stored } from "./indexed-partitions.ts";
import type { IndexedRecord } from "./record.ts";
import type { Retention } from "./retention.ts";
import { integer, transaction } from "./schema.ts";
import { tailName } from "./tail-table.ts";
import type { Tails } from "./tails.ts";
import { travelling } from "./travelling.ts";
import type { WriteBehind } from "./write-behind.ts";

/**
 * What is buffered is written when it is so much, before anything else is taken, or has waited so long: then by a tick, so
 * that records that are to be forwarded don't wait for it.
 */
const BUFFERED_RECORDS = 4_096;
const BUFFERED_BYTES = 1024 * 1024;

/** As many times that are buffered while a commit is better put off (write-behind.ts), but for no longer than that. */
const PUT_OFF = 8;

/**
 * Bytes that come with what is buffered but aren't kept, after which it is written too: a record is a view of what it was
 * read from, and keeps all of that in memory.
 */
const PASSED_BYTES = 8 * 1024 * 1024;

/** A generation of tails ends at this many bytes of records, so that a restart has little to read again. */
const GENERATION_BYTES = 32 * 1024 * 1024;

/** Tails that one transaction looks at if all are to be looked at. */
const SWEPT_AT_ONCE = 4_096;

/** Batches that one transaction may drop, besides four for each that it writes. */
const DROPS_AT_ONCE = 64;

export class Ingest {
  readonly #db: DatabaseSync;
  readonly #partitions: IndexedPartitions;
  readonly #batches: Batches;
  readonly #tails: Tails;
  readonly #retention: Retention;
  readonly #now: () => number;
  readonly #saveState: StatementSync;
  readonly #writeBehind: Pick<WriteBehind, "committed" | "isFinishing">;
  /** Those that differ from what is on disk. */
  readonly #dirty = new Set<IndexedPartition>();
  #dirtySince = 0;
  #records = 0;
  #bytes = 0;
  /** Of records without an endpoint, and of values and headers that don't travel, since the first that was buffered. */
  #passed = 0;
  #generationBytes = 0;
  readonly counts = { appends: 0, appendMs: 0, dropped: 0 };
  /** When something was dropped first since the WAL was emptied. */
  #droppedAt: number | undefined;
  /** The next record's. */
  #arrival: number;

  constructor(
    db: DatabaseSync,
    partitions: IndexedPartitions,
    batches: Batches,
    tails: Tails,
    retention: Retention,
    now: () => number,
    writeBehind: Pick<WriteBehind, "committed" | "isFinishing">,
  ) {
    this.#db = db;
    this.#writeBehind = writeBehind;
    this.#partitions = partitions;
    this.#batches = batches;
    this.#tails = tails;
    this.#retention = retention;
    this.#now = now;
    this.#saveState = db.prepare("UPDATE state SET arrival = ?, replay_from = ?");
    this.#arrival = integer(db.prepare("SELECT arrival FROM state").get()?.arrival);
  }

  /** Takes what is new in a batch, or, if that or the write before it fails, nothing. */
  append(partition: IndexedPartition, batch: Batch): readonly IndexedRecord[] {
    const since = performance.now();
    if (this.#isFull()) this.commit();
    const taken: IndexedRecord[] = [];
    const lasts: (number | undefined)[] = [];
    try {
      this.#take(partition, batch, taken, lasts);
      this.counts.appends++;
      this.counts.appendMs += performance.now() - since;
      return taken;
    } catch (error) {
      for (const { key } of taken.reverse()) this.#tails.set(partition.id, tailName(key), lasts.pop());
      throw error;
    }
  }

  /** Whether `commit` should be called although nothing more was appended. */
  isDue(): boolean {
    if (this.#dirty.size > 0) return this.#isFull() || this.#hasWaited();
    return this.#tails.isSweeping || this.#retention.isDue(this.#now());
  }

  /** Empties the WAL if what was dropped has been in it for long. If a reader is in the way, the next tick tries again. */
  emptyWal(): void {
    const waited = this.#now() - (this.#droppedAt ?? this.#now());
    // Nothing waits for a clock that was set back.
    if (waited >= 0 && waited < TIME_LIMITS.indexDroppedMs) return;
    const { busy } = this.#db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() ?? {};
    if (busy === 0) this.#droppedAt = undefined;
  }

  /** Writes what was buffered and drops what must go. If that fails, all is as it was. */
  commit(): void {
    const generation = this.#generationBytes + this.#bytes;
    this.#commit(generation, this.#tails.full || generation >= GENERATION_BYTES);
  }

  /**
   * What lies before an offset is gone from the log; returns whether that is new. Deleting it is left to the commits
   * that follow.
   */
  forget(partition: IndexedPartition, before: number): boolean {
    if (before <= partition.logStart) return false;
    this.commit();
    const { stored, logStart } = partition;
    const horizon = Math.max(stored.horizon, Math.min(before, partition.checkpoint));
    Object.assign(partition, { stored: { ...stored, horizon }, logStart: before });
    try {
      transaction(this.#db, () => this.#partitions.save(partition));
    } catch (error) {
      Object.assign(partition, { stored, logStart });
      throw error;
    }
    this.#tails.sweepAll();
    return true;
  }

  /** Commits everything, the tails too, so that opening has nothing to read again. */
  finish(): void {
    this.#commit(0, true);
    transaction(this.#db, () => {
      this.#tails.writeBehind(Number.POSITIVE_INFINITY);
      this.#saveState.run(this.#arrival, this.#tails.replayFrom());
    });
  }

  /** @param turn whether a generation of tails ends here: the one before it is written back to its end. */
  #commit(generation: number, turn: boolean): void {
    const before = new Map<IndexedPartition, Stored>();
    for (const partition of this.#partitions.all()) before.set(partition, partition.stored);
    const written = this.#tails.written;
    let gone: readonly IndexedPartition[] = [];
    let dropped = 0;
    try {
      transaction(this.#db, () => {
        const blobs = this.#insertBuffered();
        this.#tails.writeBehind(turn ? Number.POSITIVE_INFINITY : 64 + 2 * this.#records);
        const { records, changed } = this.#retention.drop(this.#now(), DROPS_AT_ONCE + 4 * blobs);
        for (const partition of this.#dirty) this.#partitions.save(partition);
        for (const partition of changed) if (!this.#dirty.has(partition)) this.#partitions.save(partition);
        gone = [...this.#partitions.retired].filter((partition) => this.#retention.isGone(partition));
        for (const partition of gone) this.#partitions.delete(partition);
        const swept = Math.max(2 * records, this.#tails.isSweeping ? SWEPT_AT_ONCE : 0);
        if (swept > 0) this.#tails.sweep(swept);
        dropped = records;
        this.#saveState.run(this.#arrival, this.#tails.replayFrom());
      });
    } catch (error) {
      this.#tails.restore(written);
      this.#batches.rolledBack();
      for (const [partition, stored] of before) Object.assign(partition, { stored, oldest: undefined });
      throw error;
    }
    this.counts.dropped += dropped;
    if (dropped > 0) this.#droppedAt ??= this.#now();
    for (const partition of this.#dirty) partition.buffered = [];
    for (const partition of gone) this.#partitions.deleted(partition);
    this.#dirty.clear();
    this.#writeBehind.committed(this.#bytes);
    this.#records = 0;
    this.#bytes = 0;
    this.#passed = 0;
    this.#generationBytes = turn ? 0 : generation;
    if (turn) this.#tails.settle(this.#arrival);
  }

  #isFull(): boolean {
    const times = this.#writeBehind.isFinishing ? PUT_OFF : 1;
    return (
      this.#records >= times * BUFFERED_RECORDS ||
      this.#bytes >= times * BUFFERED_BYTES ||
      (this.#records > 0 && this.#passed >= PASSED_BYTES)
    );
  }

  #hasWaited(): boolean {
    const waited = this.#now() - this.#dirtySince;
    // Nothing waits for a clock that was set back.
    return waited >= TIME_LIMITS.indexBufferedMs || waited < 0;
  }

  /** @param lasts The offset of the record before each of its key, as far as is known. */
  #take(
    partition: IndexedPartition,
    batch: Batch,
    taken: IndexedRecord[],
    lasts: (number | undefined)[],
  ): void {
    let { checkpoint, keyless, keyTooLong, omitted } = partition;
    const wholeFrom = isTorn(batch, partition.checkpoint) ? batch.wholeFrom : partition.wholeFrom;
    let bytes = 0;
    let passed = 0;
    for (const record of batch.records) {
      if (record.offset < checkpoint) continue;
      checkpoint = record.offset + 1;
      if (record.key === null || record.key.length > LIMITS.keyBytes) {
        if (record.key === null) keyless++;
        else keyTooLong++;
        passed += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      } else {
        const name = tailName(record.key);
        const last = this.#tails.last(partition.id, name, partition.exactFrom);
        // What was removed in between may have been the key's.
        const previous = last !== undefined && last >= wholeFrom ? last : undefined;
        const indexed = this.#indexed(record, record.key, partition.epoch, previous, taken.length);
        taken.push(indexed);
        lasts.push(last);
        this.#tails.set(partition.id, name, record.offset);
        if (indexed.value !== null && "omitted" in indexed.value) {
          omitted++;
          passed += indexed.value.omitted;
        }
        passed += indexed.headersOmitted ?? 0;
        bytes += packedBytes(indexed);
      }
    }
    checkpoint = Math.max(checkpoint, batch.nextOffset);
    partition.settled ||= checkpoint >= batch.endOffset;
    if (checkpoint === partition.checkpoint) return;

    if (this.#dirty.size === 0) this.#dirtySince = this.#now();
    this.#dirty.add(partition);
    partition.checkpoint = checkpoint;
    partition.wholeFrom = wholeFrom;
    partition.keyless = keyless;
    partition.keyTooLong = keyTooLong;
    partition.omitted = omitted;
    for (const record of taken) partition.buffered.push(record);
    this.#arrival += taken.length;
    this.#records += taken.length;
    this.#bytes += bytes;
    this.#passed += passed;
  }

  #indexed(
    record: SourceRecord,
    key: Uint8Array,
    epoch: string,
    previous: number | undefined,
    index: number,
  ): IndexedRecord {
    const { kind, value, headers, headersOmitted } = travelling(record);
    const { offset, timestamp } = record;
    const arrival = this.#arrival + index;
    return { epoch, offset, previous, arrival, timestamp, key, kind, value, headers, headersOmitted };
  }

  #insertBuffered(): number {
    const now = this.#now();
    let blobs = 0;
    for (const partition of this.#dirty) {
      let { records, bytes } = partition.stored;
      for (const batch of cut(partition.buffered)) {
        // A timestamp in the future counts as now, one that is missing too.
        let newest = 0;
        for (const { timestamp = now } of batch) newest = Math.max(newest, Math.min(timestamp, now));
        bytes += this.#batches.insert(partition.id, batch, newest);
        records += batch.length;
        blobs++;
      }
      partition.stored = { ...partition.stored, records, bytes };
      if (partition.oldest === null) partition.oldest = undefined;
    }
    return blobs;
  }
}
