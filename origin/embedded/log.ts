/**
 * The embedded log: what Kafka is to the origin where no broker is configured. Topics of partitions of
 * records with dense offsets, in one SQLite file that several processes write and read at once; the file and
 * its promises are described in database.ts.
 *
 * Everything here is synchronous, as SQLite in Node is. A read is bounded by its caller; an append waits for
 * other writers' appends, and costs one sync to the disk however many records it has, so append in batches.
 */
import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { isTopicName } from "../../shared/protocol/address.ts";
import { epochOf } from "../source/epoch.ts";
import type { RecordHeader, SourceRecord } from "../source/source.ts";
import { guarded, LogError, openDatabase } from "./database.ts";
import { packHeaders, unpackHeaders } from "./headers.ts";

export { LogError, type LogErrorCode } from "./database.ts";

export interface TopicSettings {
  /** 6 unless told; can't be changed later. */
  readonly partitions?: number;
  /**
   * Each partition keeps this many of its newest records and up to 1,000 more; older ones are dropped as
   * others are appended. 1,000,000 unless told, so that a log left to itself does not fill the disk.
   */
  readonly retainRecords?: number;
}

export interface Topic {
  /** 16 random bytes: a topic that is deleted and created again is another one. */
  readonly id: Uint8Array;
  /** In order of their numbers. */
  readonly partitions: readonly { readonly startOffset: number; readonly endOffset: number }[];
}

export interface NewRecord {
  readonly key: Uint8Array | null;
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[];
  /** Milliseconds since 1970; now unless told. */
  readonly timestamp?: number;
  /** By Kafka's default partitioner unless told: the hash of the key; in turn where there is no key. */
  readonly partition?: number;
}

/** Who has taken a partition over. */
export interface PartitionHolder {
  readonly partition: number;
  readonly epoch: string;
  readonly number: number;
}

/** Where a record was written: its position is `epoch:offset`. */
export interface Appended {
  readonly partition: number;
  readonly epoch: string;
  readonly offset: number;
}

const DEFAULT_PARTITIONS = 6;
const MAX_PARTITIONS = 1_000;
const DEFAULT_RETAIN_RECORDS = 1_000_000;
/** So that an append of one record does not drop one record every time, and none drops many for long. */
const RETAIN_SLACK = 1_000;

/** Where the embedded log of a data folder lies. */
export function logPath(dataDir: string): string {
  return join(dataDir, "origin", "log.sqlite");
}

export class EmbeddedLog {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #listeners = new Set<(topic: string) => void>();
  readonly #topic: StatementSync;
  readonly #insert: StatementSync;
  readonly #setEnd: StatementSync;
  readonly #setStart: StatementSync;
  readonly #drop: StatementSync;
  readonly #read: StatementSync;
  readonly #offsetAt: StatementSync;
  readonly #dataVersion: StatementSync;
  readonly #takeOver: StatementSync;
  readonly #holder: StatementSync;
  #keyless = randomInt(MAX_PARTITIONS);

  /** Opens the file, which is made where there is none. Throws LogError. */
  constructor(path: string) {
    this.#path = path;
    const database = openDatabase(path);
    this.#database = database;
    this.#topic = database.prepare(`
      SELECT number, id, retain_records AS retain, start_offset AS start, end_offset AS end
      FROM topic JOIN partition ON topic = number WHERE name = ? ORDER BY partition`);
    this.#insert = database.prepare("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.#setEnd = database.prepare("UPDATE partition SET end_offset = ? WHERE topic = ? AND partition = ?");
    this.#setStart = database.prepare(
      "UPDATE partition SET start_offset = ? WHERE topic = ? AND partition = ?",
    );
    this.#drop = database.prepare("DELETE FROM record WHERE topic = ? AND partition = ? AND offset < ?");
    this.#read = database.prepare(`
      SELECT offset, timestamp, key, value, headers FROM record
      WHERE topic = (SELECT number FROM topic WHERE name = ?) AND partition = ? AND offset >= ?
      ORDER BY offset LIMIT ?`);
    // In the order of the key, so it ends at the first that fits.
    this.#offsetAt = database.prepare(`
      SELECT offset FROM record
      WHERE topic = (SELECT number FROM topic WHERE name = ?) AND partition = ? AND timestamp >= ?
      ORDER BY offset LIMIT 1`);
    this.#dataVersion = database.prepare("PRAGMA data_version");
    this.#takeOver = database.prepare(`
      INSERT INTO writer VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET number = number + 1 RETURNING number`);
    this.#holder = database.prepare("SELECT number FROM writer WHERE topic = ? AND partition = ?");
  }

  /** false if the topic exists already: it is then left as it is. */
  createTopic(name: string, settings: TopicSettings = {}): boolean {
    const { partitions = DEFAULT_PARTITIONS, retainRecords = DEFAULT_RETAIN_RECORDS } = settings;
    if (!isTopicName(name))
      throw new LogError("invalid_topic", `${JSON.stringify(name)} is not a name for a topic`);
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS)
      throw new LogError("invalid_topic", `a topic has 1 to ${MAX_PARTITIONS} partitions, not ${partitions}`);
    if (!Number.isSafeInteger(retainRecords) || retainRecords < 1)
      throw new LogError("invalid_topic", `a topic keeps 1 record or more, not ${retainRecords}`);
    const created = this.#write(() => {
      if (this.#find(name) !== undefined) return false;
      const { lastInsertRowid } = this.#database
        .prepare("INSERT INTO topic (name, id, retain_records) VALUES (?, ?, ?)")
        .run(name, randomBytes(16), retainRecords);
      const insert = this.#database.prepare("INSERT INTO partition VALUES (?, ?, 0, 0)");
      for (let partition = 0; partition < partitions; partition++) insert.run(lastInsertRowid, partition);
      return true;
    });
    if (created) this.#changed(name);
    return created;
  }

  /** Deletes the topic with its records, a second for about 400,000 of them; false if there is none. */
  deleteTopic(name: string): boolean {
    const deleted = this.#write(() => {
      const topic = this.#find(name);
      if (topic === undefined) return false;
      for (const sql of [
        "DELETE FROM record WHERE topic = ?",
        "DELETE FROM partition WHERE topic = ?",
        "DELETE FROM writer WHERE topic = ?",
        "DELETE FROM topic WHERE number = ?",
      ])
        this.#database.prepare(sql).run(topic.number);
      return true;
    });
    if (deleted) this.#changed(name);
    return deleted;
  }

  /** Their names, in order. */
  topics(): string[] {
    return guarded(this.#path, () =>
      (this.#database.prepare("SELECT name FROM topic ORDER BY name").all() as { name: string }[]).map(
        ({ name }) => name,
      ),
    );
  }

  /** undefined if there is no such topic. */
  topic(name: string): Topic | undefined {
    return guarded(this.#path, () => this.#find(name));
  }

  /**
   * The right to append what is published to a partition, until it is taken again: a number higher than all before.
   * Throws LogError, also if the partition is of another epoch.
   */
  takeOver(name: string, partition: number, epoch: string): number {
    return this.#write(() => {
      const topic = this.#existing(name);
      if (topic.partitions[partition] === undefined || epochOf(topic.id, partition) !== epoch)
        throw noPartition(name, partition);
      const { number } = this.#takeOver.get(topic.number, partition) as { number: number };
      return number;
    });
  }

  /**
   * Appends all the records or none; the answer is in their order. Throws LogError.
   * @param as Whose the partition must still be.
   */
  append(name: string, records: readonly NewRecord[], as?: PartitionHolder): readonly Appended[] {
    const appended = this.#write(() => {
      const topic = this.#existing(name);
      if (as !== undefined) this.#checkHolder(name, topic, as);
      const epochs = topic.partitions.map((_, partition) => epochOf(topic.id, partition));
      const ends = topic.partitions.map(({ endOffset }) => endOffset);
      const positions = records.map((record): Appended => {
        const partition = record.partition ?? this.#partitionFor(record.key, ends.length);
        const offset = ends[partition];
        const epoch = epochs[partition];
        if (offset === undefined || epoch === undefined) throw noPartition(name, partition);
        const { timestamp = Date.now(), key, value, headers = [] } = record;
        if (!Number.isSafeInteger(timestamp) || timestamp < 0)
          throw new LogError("invalid_record", `${timestamp} is not a timestamp in milliseconds since 1970`);
        this.#insert.run(topic.number, partition, offset, timestamp, key, value, packHeaders(headers));
        ends[partition] = offset + 1;
        return { partition, epoch, offset };
      });
      for (const [partition, { startOffset, endOffset }] of topic.partitions.entries()) {
        const end = ends[partition] ?? endOffset;
        if (end === endOffset) continue;
        this.#setEnd.run(end, topic.number, partition);
        if (end - startOffset > topic.retain + RETAIN_SLACK)
          this.#trim(topic.number, partition, end - topic.retain);
      }
      return positions;
    });
    if (appended.length > 0) this.#changed(name);
    return appended;
  }

  /**
   * Records of one partition from an offset on: up to `maxRecords`, and up to `maxBytes` of keys, values and
   * headers, but one at least where there is one. None where there is no such topic or partition.
   */
  read(name: string, partition: number, from: number, maxRecords: number, maxBytes: number): SourceRecord[] {
    return guarded(this.#path, () => {
      const records: SourceRecord[] = [];
      let bytes = 0;
      for (const row of this.#read.iterate(name, partition, from, maxRecords) as Iterable<RecordRow>) {
        const { offset, timestamp, key, value } = row;
        bytes += (key?.length ?? 0) + (value?.length ?? 0) + (row.headers?.length ?? 0);
        if (bytes > maxBytes && records.length > 0) break;
        const headers = unpackHeaders(row.headers);
        if (headers === undefined)
          throw new LogError("corrupt", `the headers of ${name}/${partition} at ${offset} can't be read`);
        records.push({ offset, timestamp, key, value, headers });
      }
      return records;
    });
  }

  /** The first offset of a partition whose record is of this time or later; undefined if there is none. */
  offsetAt(name: string, partition: number, timestamp: number): number | undefined {
    return guarded(this.#path, () => {
      const row = this.#offsetAt.get(name, partition, timestamp) as { offset: number } | undefined;
      return row?.offset;
    });
  }

  /** Drops the records below an offset; past the partition's end it drops them all. Throws LogError. */
  trim(name: string, partition: number, beforeOffset: number): void {
    this.#write(() => {
      const topic = this.#existing(name);
      const held = topic.partitions[partition];
      if (held === undefined) throw noPartition(name, partition);
      const before = Math.min(beforeOffset, held.endOffset);
      if (before > held.startOffset) this.#trim(topic.number, partition, before);
    });
    this.#changed(name);
  }

  /** Reads of the log within `body` all see it as it was at one moment. */
  snapshot<T>(body: () => T): T {
    return this.#transaction("BEGIN", body);
  }

  /** A number that has changed when another connection, of this process or not, has changed the log since. */
  dataVersion(): number {
    return guarded(this.#path, () => (this.#dataVersion.get() as { data_version: number }).data_version);
  }

  /** Calls `listener` with a topic's name after this log object has changed it; returns how to stop that. */
  onChange(listener: (topic: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #find(name: string): FoundTopic | undefined {
    const rows = this.#topic.all(name) as unknown as TopicRow[];
    const [first] = rows;
    if (first === undefined) return undefined;
    const partitions = rows.map(({ start, end }) => ({ startOffset: start, endOffset: end }));
    return { number: first.number, id: first.id, retain: first.retain, partitions };
  }

  #existing(name: string): FoundTopic {
    const topic = this.#find(name);
    if (topic === undefined) throw new LogError("unknown_topic", `there is no topic ${JSON.stringify(name)}`);
    return topic;
  }

  #checkHolder(name: string, topic: FoundTopic, { partition, epoch, number }: PartitionHolder): void {
    if (epochOf(topic.id, partition) !== epoch) throw noPartition(name, partition);
    const row = this.#holder.get(topic.number, partition) as { number: number } | undefined;
    if (row?.number !== number) throw new LogError("fenced", `another has taken ${name}/${partition} over`);
  }

  #partitionFor(key: Uint8Array | null, partitions: number): number {
    return key === null ? this.#keyless++ % partitions : partitionOf(key, partitions);
  }

  #trim(number: number, partition: number, before: number): void {
    this.#drop.run(number, partition, before);
    this.#setStart.run(before, number, partition);
  }

  #changed(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }

  /** IMMEDIATE: it takes its turn among the writers before it reads, so what it has read stays true. */
  #write<T>(body: () => T): T {
    return this.#transaction("BEGIN IMMEDIATE", body);
  }

  #transaction<T>(begin: string, body: () => T): T {
    return guarded(this.#path, () => {
      this.#database.exec(begin);
      try {
        const result = body();
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }
}

interface FoundTopic extends Topic {
  readonly number: number;
  readonly retain: number;
}

interface TopicRow {
  readonly number: number;
  readonly id: Uint8Array;
  readonly retain: number;
  readonly start: number;
  readonly end: number;
}

interface RecordRow {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array | null;
}

function noPartition(topic: string, partition: number): LogError {
  return new LogError("unknown_partition", `topic ${JSON.stringify(topic)} has no partition ${partition}`);
}
