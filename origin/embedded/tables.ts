/** The rows of an embedded log: all SQL that is run on its file once that is open, and the transactions around it. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { guarded, openDatabase } from "./database.ts";

export interface TopicRows {
  readonly number: number;
  readonly id: Uint8Array;
  /** How many records each partition keeps. */
  readonly retain: number;
  /** In order of their numbers. */
  readonly partitions: readonly { readonly startOffset: number; readonly endOffset: number }[];
}

export interface RecordRow {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array | null;
}

interface TopicRow extends Omit<TopicRows, "partitions"> {
  readonly start: number;
  readonly end: number;
}

export class LogTables {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #topic: StatementSync;
  readonly #insert: StatementSync;
  readonly #setEnd: StatementSync;
  readonly #setStart: StatementSync;
  readonly #drop: StatementSync;
  readonly #read: StatementSync;
  readonly #offsetAt: StatementSync;
  readonly #dataVersion: StatementSync;
  readonly #takeOver: StatementSync;
  readonly #writer: StatementSync;

  /** Opens the file, which is made if there is none. Throws LogError. */
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
    this.#writer = database.prepare("SELECT number FROM writer WHERE topic = ? AND partition = ?");
  }

  /** Runs what only reads. Throws LogError. */
  reading<T>(body: () => T): T {
    return guarded(this.#path, body);
  }

  /** All that is read within `body` is as it was at one moment. */
  snapshot<T>(body: () => T): T {
    return this.#transaction("BEGIN", body);
  }

  /** IMMEDIATE: it takes its turn among the writers before it reads, so what it has read stays true. */
  writing<T>(body: () => T): T {
    return this.#transaction("BEGIN IMMEDIATE", body);
  }

  names(): string[] {
    const rows = this.#database.prepare("SELECT name FROM topic ORDER BY name").all() as { name: string }[];
    return rows.map(({ name }) => name);
  }

  find(name: string): TopicRows | undefined {
    const rows = this.#topic.all(name) as unknown as TopicRow[];
    const [first] = rows;
    if (first === undefined) return undefined;
    const partitions = rows.map(({ start, end }) => ({ startOffset: start, endOffset: end }));
    return { number: first.number, id: first.id, retain: first.retain, partitions };
  }

  createTopic(name: string, id: Uint8Array, retain: number, partitions: number): void {
    const { lastInsertRowid } = this.#database
      .prepare("INSERT INTO topic (name, id, retain_records) VALUES (?, ?, ?)")
      .run(name, id, retain);
    const insert = this.#database.prepare("INSERT INTO partition VALUES (?, ?, 0, 0)");
    for (let partition = 0; partition < partitions; partition++) insert.run(lastInsertRowid, partition);
  }

  /** With its records. */
  deleteTopic(topic: number): void {
    for (const sql of [
      "DELETE FROM record WHERE topic = ?",
      "DELETE FROM partition WHERE topic = ?",
      "DELETE FROM writer WHERE topic = ?",
      "DELETE FROM topic WHERE number = ?",
    ])
      this.#database.prepare(sql).run(topic);
  }

  insert(topic: number, partition: number, { offset, timestamp, key, value, headers }: RecordRow): void {
    this.#insert.run(topic, partition, offset, timestamp, key, value, headers);
  }

  setEnd(topic: number, partition: number, end: number): void {
    this.#setEnd.run(end, topic, partition);
  }

  /** Drops the records before an offset, at which the partition begins from now on. */
  trim(topic: number, partition: number, before: number): void {
    this.#drop.run(topic, partition, before);
    this.#setStart.run(before, topic, partition);
  }

  /** In the order of their offsets, as they are taken. None if there is no such topic or partition. */
  records(name: string, partition: number, from: number, most: number): Iterable<RecordRow> {
    return this.#read.iterate(name, partition, from, most) as Iterable<RecordRow>;
  }

  /** The first offset of a record that is of this time or later. */
  offsetAt(name: string, partition: number, timestamp: number): number | undefined {
    const row = this.#offsetAt.get(name, partition, timestamp) as { offset: number } | undefined;
    return row?.offset;
  }

  dataVersion(): number {
    return (this.#dataVersion.get() as { data_version: number }).data_version;
  }

  /** The number of a partition's next writer: higher than all before. */
  takeOver(topic: number, partition: number): number {
    return (this.#takeOver.get(topic, partition) as { number: number }).number;
  }

  /** The number of its last writer. */
  writer(topic: number, partition: number): number | undefined {
    return (this.#writer.get(topic, partition) as { number: number } | undefined)?.number;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
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
