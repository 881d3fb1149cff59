/** What the index knows of each partition, in memory and on disk. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { BatchRow } from "./batches.ts";
import type { IndexedRecord } from "./record.ts";
import { integer, text } from "./schema.ts";

/** What changes only with a transaction. */
export interface Stored {
  /** Batches hold every record with a key that was read from here to the checkpoint. */
  readonly horizon: number;
  readonly records: number;
  readonly bytes: number;
  /** Latest records kept beyond their batches. */
  readonly kept: number;
}

/** One incarnation of a partition, read without a hole. */
export interface IndexedPartition {
  readonly id: number;
  readonly topic: string;
  readonly number: number;
  readonly epoch: string;
  stored: Stored;
  /** The next offset to fetch; what lies below and is not stored is buffered. */
  checkpoint: number;
  /** From here to the checkpoint the log held all that was written when it was read. */
  wholeFrom: number;
  /** The log's oldest offset, as far as is known. What was held from before it was deleted there, and answers nothing. */
  logStart: number;
  /** The log's start, if it was found to have moved when this process began to read; else 0. */
  deletedTo: number;
  /**
   * Whether the log's end was reached since reading began at `logStart`. Until then what compaction removed is no loss:
   * it leaves the last record of each key, and tombstones for as long as a reader needs. From then on, and when
   * reading goes on after a restart, a record that is removed before it was read may be a tombstone of what is held.
   */
  settled: boolean;
  buffered: IndexedRecord[];
  keyless: number;
  keyTooLong: number;
  omitted: number;
  /**
   * Stored tails below this may not be the last ones. After a crash that took a tail from memory, when its batch had
   * been dropped already, the table still has the one before it.
   */
  exactFrom: number;
  /** The oldest batch on disk; null if there is none, undefined if it must be looked up. */
  oldest: BatchRow | null | undefined;
}

/** Every record with a key that was written from here to before the checkpoint is held. */
export function horizonOf({ stored, wholeFrom }: IndexedPartition): number {
  return Math.max(stored.horizon, wholeFrom);
}

export class IndexedPartitions {
  readonly #topics = new Map<string, Map<number, IndexedPartition>>();
  readonly #retired = new Set<IndexedPartition>();
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #retire: StatementSync;
  readonly #delete: StatementSync;

  readonly #keepsLatest: (topic: string) => boolean;

  /** @param keepsLatest whether a topic is compacted, which may have changed since the index was closed. */
  constructor(db: DatabaseSync, keepsLatest: (topic: string) => boolean) {
    this.#keepsLatest = keepsLatest;
    this.#insert = db.prepare(
      `INSERT INTO partition (topic, number, epoch, keeps_latest, horizon, checkpoint, whole_from, log_start)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#update =
      db.prepare(`UPDATE partition SET horizon = ?, checkpoint = ?, records = ?, bytes = ?, kept = ?,
      keyless = ?, key_too_long = ?, omitted = ?, whole_from = ?, log_start = ? WHERE id = ?`);
    this.#retire = db.prepare("UPDATE partition SET retired = 1 WHERE id = ?");
    this.#delete = db.prepare("DELETE FROM partition WHERE id = ?");
    for (const row of db.prepare("SELECT * FROM partition ORDER BY id").iterate()) {
      const partition: IndexedPartition = {
        id: integer(row.id),
        topic: text(row.topic),
        number: integer(row.number),
        epoch: text(row.epoch),
        stored: {
          horizon: integer(row.horizon),
          records: integer(row.records),
          bytes: integer(row.bytes),
          kept: integer(row.kept),
        },
        checkpoint: integer(row.checkpoint),
        wholeFrom: integer(row.whole_from),
        logStart: integer(row.log_start),
        deletedTo: 0,
        settled: true,
        buffered: [],
        keyless: integer(row.keyless),
        keyTooLong: integer(row.key_too_long),
        omitted: integer(row.omitted),
        exactFrom: 0,
        oldest: undefined,
      };
      if (integer(row.retired) === 0) this.#add(partition);
      else this.#retired.add(partition);
    }
    const mark = db.prepare("UPDATE partition SET keeps_latest = ? WHERE id = ?");
    for (const { id, topic } of this.live()) mark.run(keepsLatest(topic) ? 1 : 0, id);
  }

  get(topic: string, number: number): IndexedPartition | undefined {
    return this.#topics.get(topic)?.get(number);
  }

  ofTopic(topic: string): Iterable<IndexedPartition> {
    return this.#topics.get(topic)?.values() ?? [];
  }

  *live(): Generator<IndexedPartition> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }

  get retired(): ReadonlySet<IndexedPartition> {
    return this.#retired;
  }

  *all(): Generator<IndexedPartition> {
    yield* this.live();
    yield* this.#retired;
  }

  /** In a transaction, as all that follow; `added` and `retire` take effect in memory once it is committed. */
  insert(topic: string, number: number, epoch: string, from: number): IndexedPartition {
    const { lastInsertRowid } = this.#insert.run(
      topic,
      number,
      epoch,
      this.#keepsLatest(topic) ? 1 : 0,
      from,
      from,
      from,
      from,
    );
    return {
      id: Number(lastInsertRowid),
      topic,
      number,
      epoch,
      stored: { horizon: from, records: 0, bytes: 0, kept: 0 },
      checkpoint: from,
      wholeFrom: from,
      logStart: from,
      deletedTo: 0,
      settled: false,
      buffered: [],
      keyless: 0,
      keyTooLong: 0,
      omitted: 0,
      exactFrom: 0,
      oldest: null,
    };
  }

  markRetired(partition: IndexedPartition): void {
    this.#retire.run(partition.id);
  }

  save(partition: IndexedPartition): void {
    const { horizon, records, bytes, kept } = partition.stored;
    this.#update.run(
      horizon,
      partition.checkpoint,
      records,
      bytes,
      kept,
      partition.keyless,
      partition.keyTooLong,
      partition.omitted,
      partition.wholeFrom,
      partition.logStart,
      partition.id,
    );
  }

  delete(partition: IndexedPartition): void {
    this.#delete.run(partition.id);
  }

  /** Makes one partition live, and the one before it, if any, retired. */
  #add(partition: IndexedPartition): void {
    let partitions = this.#topics.get(partition.topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(partition.topic, partitions);
    }
    partitions.set(partition.number, partition);
  }

  added(partition: IndexedPartition): void {
    this.#add(partition);
  }

  /** Answers nothing from now on. */
  retire(partition: IndexedPartition): void {
    partition.buffered = [];
    this.#topics.get(partition.topic)?.delete(partition.number);
    this.#retired.add(partition);
  }

  deleted(partition: IndexedPartition): void {
    this.#retired.delete(partition);
  }
}
