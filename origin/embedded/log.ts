/**
 * The embedded log: what Kafka is to the origin when no broker is configured. Topics of partitions of
 * records with dense offsets, in one SQLite file that several processes write and read at once. The file and
 * its promises are described in database.ts, its rows are in tables.ts.
 *
 * Everything here is synchronous, as SQLite in Node is. A read is bounded by its caller; an append waits for
 * other writers' appends, and costs one sync to the disk however many records it has, so append in batches.
 */
import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { isTopicName } from "../../shared/protocol/address.ts";
import { epochOf } from "../source/epoch.ts";
import type { RecordHeader, SourceRecord } from "../source/source.ts";
import { LogError } from "./database.ts";
import { packHeaders, unpackHeaders } from "./headers.ts";
import { LogTables, type TopicRows } from "./tables.ts";

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
  /** By Kafka's default partitioner unless told: the hash of the key; in turn if there is no key. */
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
  readonly #tables: LogTables;
  readonly #listeners = new Set<(topic: string) => void>();
  #keyless = randomInt(MAX_PARTITIONS);

  /** Opens the file, which is made if there is none. Throws LogError. */
  constructor(path: string) {
    this.#tables = new LogTables(path);
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
    const created = this.#tables.writing(() => {
      if (this.#tables.find(name) !== undefined) return false;
      this.#tables.createTopic(name, randomBytes(16), retainRecords, partitions);
      return true;
    });
    if (created) this.#changed(name);
    return created;
  }

  /** Deletes the topic with its records, a second for about 400,000 of them; false if there is none. */
  deleteTopic(name: string): boolean {
    const deleted = this.#tables.writing(() => {
      const topic = this.#tables.find(name);
      if (topic === undefined) return false;
      this.#tables.deleteTopic(topic.number);
      return true;
    });
    if (deleted) this.#changed(name);
    return deleted;
  }

  /** Their names, in order. */
  topics(): string[] {
    return this.#tables.reading(() => this.#tables.names());
  }

  /** undefined if there is no such topic. */
  topic(name: string): Topic | undefined {
    return this.#tables.reading(() => this.#tables.find(name));
  }

  /**
   * The right to append what is published to a partition, until it is taken again: a number higher than all before.
   * Throws LogError, also if the partition is of another epoch.
   */
  takeOver(name: string, partition: number, epoch: string): number {
    return this.#tables.writing(() => {
      const topic = this.#existing(name);
      if (topic.partitions[partition] === undefined || epochOf(topic.id, partition) !== epoch)
        throw noPartition(name, partition);
      return this.#tables.takeOver(topic.number, partition);
    });
  }

  /**
   * Appends all the records or none; the answer is in their order. Throws LogError.
   * @param as Whose the partition must still be.
   */
  append(name: string, records: readonly NewRecord[], as?: PartitionHolder): readonly Appended[] {
    const appended = this.#tables.writing(() => {
      const topic = this.#existing(name);
      if (as !== undefined) this.#checkHolder(name, topic, as);
      const ends = topic.partitions.map(({ endOffset }) => endOffset);
      const positions = this.#insert(name, topic, records, ends);
      for (const [partition, { startOffset, endOffset }] of topic.partitions.entries()) {
        const end = ends[partition] ?? endOffset;
        if (end === endOffset) continue;
        this.#tables.setEnd(topic.number, partition, end);
        if (end - startOffset > topic.retain + RETAIN_SLACK)
          this.#tables.trim(topic.number, partition, end - topic.retain);
      }
      return positions;
    });
    if (appended.length > 0) this.#changed(name);
    return appended;
  }

  /** @param ends Of the partitions, which move as records are added. */
  #insert(name: string, topic: TopicRows, records: readonly NewRecord[], ends: number[]): Appended[] {
    const epochs = topic.partitions.map((_, partition) => epochOf(topic.id, partition));
    return records.map((record) => {
      const partition = record.partition ?? this.#partitionFor(record.key, ends.length);
      const offset = ends[partition];
      const epoch = epochs[partition];
      if (offset === undefined || epoch === undefined) throw noPartition(name, partition);
      const { timestamp = Date.now(), key, value, headers = [] } = record;
      if (!Number.isSafeInteger(timestamp) || timestamp < 0)
        throw new LogError("invalid_record", `${timestamp} is not a timestamp in milliseconds since 1970`);
      const row = { offset, timestamp, key, value, headers: packHeaders(headers) };
      this.#tables.insert(topic.number, partition, row);
      ends[partition] = offset + 1;
      return { partition, epoch, offset };
    });
  }

  /**
   * Records of one partition from an offset on: up to `maxRecords`, and up to `maxBytes` of keys, values and
   * headers, but one at least where there is one. None where there is no such topic or partition.
   */
  read(name: string, partition: number, from: number, maxRecords: number, maxBytes: number): SourceRecord[] {
    return this.#tables.reading(() => {
      const records: SourceRecord[] = [];
      let bytes = 0;
      for (const row of this.#tables.records(name, partition, from, maxRecords)) {
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
    return this.#tables.reading(() => this.#tables.offsetAt(name, partition, timestamp));
  }

  /** Drops the records below an offset; past the partition's end it drops them all. Throws LogError. */
  trim(name: string, partition: number, beforeOffset: number): void {
    this.#tables.writing(() => {
      const topic = this.#existing(name);
      const held = topic.partitions[partition];
      if (held === undefined) throw noPartition(name, partition);
      const before = Math.min(beforeOffset, held.endOffset);
      if (before > held.startOffset) this.#tables.trim(topic.number, partition, before);
    });
    this.#changed(name);
  }

  /** Reads of the log within `body` all see it as it was at one moment. */
  snapshot<T>(body: () => T): T {
    return this.#tables.snapshot(body);
  }

  /** A number that has changed when another connection, of this process or not, has changed the log since. */
  dataVersion(): number {
    return this.#tables.reading(() => this.#tables.dataVersion());
  }

  /** Calls `listener` with a topic's name after this log object has changed it; returns how to stop that. */
  onChange(listener: (topic: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
    this.#tables.close();
  }

  #existing(name: string): TopicRows {
    const topic = this.#tables.find(name);
    if (topic === undefined) throw new LogError("unknown_topic", `there is no topic ${JSON.stringify(name)}`);
    return topic;
  }

  #checkHolder(name: string, topic: TopicRows, { partition, epoch, number }: PartitionHolder): void {
    if (epochOf(topic.id, partition) !== epoch) throw noPartition(name, partition);
    if (this.#tables.writer(topic.number, partition) !== number)
      throw new LogError("fenced", `another has taken ${name}/${partition} over`);
  }

  #partitionFor(key: Uint8Array | null, partitions: number): number {
    return key === null ? this.#keyless++ % partitions : partitionOf(key, partitions);
  }

  #changed(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }
}

function noPartition(topic: string, partition: number): LogError {
  return new LogError("unknown_partition", `topic ${JSON.stringify(topic)} has no partition ${partition}`);
}
