/** The packed batches on disk, and the latest records that outlive them. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { BatchBlob, blobBytes, packBatch, packedBytes } from "./batch-blob.ts";
import type { IndexedRecord } from "./record.ts";
import { bytes, integer } from "./schema.ts";

/** A blob is closed at either; a larger record has one to itself. Small, since to read one record is to read all. */
const BLOB_RECORDS = 256;
const BLOB_BYTES = 32 * 1024;

/** What a record takes besides its blob: its row in the table of tails. */
const TAIL_BYTES = 48;

const CACHE_BYTES = 16 * 1024 * 1024;

/** What is known of a batch without reading its records. */
export interface BatchRow {
  readonly id: number;
  readonly lastOffset: number;
  readonly records: number;
  /** What it counts towards the bound: its blob and its records' tails. */
  readonly bytes: number;
  /** Milliseconds since 1970: time of its youngest record. */
  readonly newest: number;
}

/** Cuts records of one partition, in offset order, into what becomes one blob each. */
export function* cut(records: readonly IndexedRecord[]): Generator<readonly IndexedRecord[]> {
  let start = 0;
  let size = 0;
  let index = 0;
  for (const record of records) {
    const more = packedBytes(record);
    if (index > start && (size + more > BLOB_BYTES || index - start >= BLOB_RECORDS)) {
      yield records.slice(start, index);
      start = index;
      size = 0;
    }
    size += more;
    index++;
  }
  if (start < records.length) yield records.slice(start);
}

export class Batches {
  readonly #insert: StatementSync;
  readonly #locate: StatementSync;
  readonly #body: StatementSync;
  readonly #oldest: StatementSync;
  readonly #delete: StatementSync;
  readonly #replay: StatementSync;
  readonly #keepAgain: StatementSync;
  readonly #keep: StatementSync;
  readonly #kept: StatementSync;
  readonly #dropKept: StatementSync;
  /** Least recently read first. */
  readonly #cache = new Map<number, BatchBlob>();
  #cachedBytes = 0;
  #scratch = Buffer.alloc(2 * BLOB_BYTES);

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.#locate = db.prepare(
      "SELECT id FROM batch WHERE partition = ? AND last_offset >= ? ORDER BY last_offset LIMIT 1",
    );
    this.#body = db.prepare("SELECT body FROM batch WHERE id = ?");
    this.#oldest = db.prepare(
      "SELECT id, last_offset, records, bytes, newest FROM batch WHERE partition = ? ORDER BY last_offset LIMIT 1",
    );
    this.#delete = db.prepare("DELETE FROM batch WHERE id = ?");
    this.#replay = db.prepare("SELECT partition, body FROM batch WHERE id >= ? ORDER BY id");
    this.#keepAgain = db.prepare(
      "UPDATE kept SET last_offset = ?, body = ? WHERE partition = ? AND name = ?",
    );
    this.#keep = db.prepare("INSERT INTO kept (last_offset, body, partition, name) VALUES (?, ?, ?, ?)");
    this.#kept = db.prepare("SELECT body FROM kept WHERE partition = ? AND name = ?");
    this.#dropKept = db.prepare(
      "DELETE FROM kept WHERE id IN (SELECT id FROM kept WHERE partition = ? AND last_offset < ? LIMIT ?)",
    );
  }

  /** Stores what `cut` yielded. In a transaction. Returns what it counts. */
  insert(partition: number, records: readonly IndexedRecord[], newest: number): number {
    const first = records[0];
    const last = records.at(-1);
    if (first === undefined || last === undefined) return 0;
    const body = this.#pack(records);
    const counts = body.length + TAIL_BYTES * records.length;
    this.#insert.run(first.arrival, partition, last.offset, records.length, counts, newest, body);
    return counts;
  }

  /** The first batch that ends at or after an offset, whether or not it holds that offset. */
  endingAtOrAfter(partition: number, offset: number): BatchBlob | undefined {
    const row = this.#locate.get(partition, offset);
    return row === undefined ? undefined : this.read(integer(row.id));
  }

  oldest(partition: number): BatchRow | undefined {
    const row = this.#oldest.get(partition);
    if (row === undefined) return undefined;
    return {
      id: integer(row.id),
      lastOffset: integer(row.last_offset),
      records: integer(row.records),
      bytes: integer(row.bytes),
      newest: integer(row.newest),
    };
  }

  read(id: number): BatchBlob {
    let blob = this.#cache.get(id);
    if (blob !== undefined) {
      this.#cache.delete(id);
    } else {
      blob = new BatchBlob(bytes(this.#body.get(id)?.body));
      this.#cachedBytes += blob.bytes;
    }
    this.#cache.set(id, blob);
    for (const [oldest, { bytes }] of this.#cache) {
      if (this.#cachedBytes <= CACHE_BYTES) break;
      this.#cache.delete(oldest);
      this.#cachedBytes -= bytes;
    }
    return blob;
  }

  /** A transaction was rolled back: what it inserted was never there, and another batch may come by its id. */
  rolledBack(): void {
    this.#cache.clear();
    this.#cachedBytes = 0;
  }

  /** In a transaction. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  /** All batches from an arrival on, in the order in which they were stored. */
  *from(arrival: number): Generator<{ partition: number; blob: BatchBlob }> {
    for (const row of this.#replay.iterate(arrival))
      yield { partition: integer(row.partition), blob: new BatchBlob(bytes(row.body)) };
  }

  /** Keeps a record beyond its batch, instead of an earlier one of its key. In a transaction. Returns whether there was none. */
  keep(partition: number, name: Uint8Array, record: IndexedRecord): boolean {
    const body = this.#pack([record]);
    if (this.#keepAgain.run(record.offset, body, partition, name).changes !== 0) return false;
    this.#keep.run(record.offset, body, partition, name);
    return true;
  }

  /** The record kept of a key, which is its last one only if its offset is the tail. */
  kept(partition: number, name: Uint8Array): BatchBlob | undefined {
    const row = this.#kept.get(partition, name);
    return row === undefined ? undefined : new BatchBlob(bytes(row.body));
  }

  /** Deletes up to `count` of the records kept of a partition from before an offset. In a transaction. Returns how many. */
  dropKept(partition: number, before: number, count: number): number {
    return Number(this.#dropKept.run(partition, before, count).changes);
  }

  #pack(records: readonly IndexedRecord[]): Uint8Array {
    const size = blobBytes(records);
    if (size <= this.#scratch.length) return packBatch(records, this.#scratch);
    return packBatch(records, Buffer.allocUnsafe(size));
  }
}
