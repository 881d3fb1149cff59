/**
 * The last offset of each key in each partition.
 *
 * Random keys written one by one into a table of SQLite would write a page for each record. So tails are
 * buffered in memory (`fresh`); when there are enough, they are sorted and written back a slice at a time
 * with the transactions that follow (`settling`), while the next are buffered. Neighbours share a page and
 * are written together. What a crash takes from memory is read again from the batches: those from
 * `replayFrom()` on.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { bytes, integer } from "./schema.ts";
import { TailTable } from "./tail-table.ts";

/** Stands for no tail. */
const NONE = -1;

const BEFORE_ALL = new Uint8Array();
/** Longer than any name. */
const AFTER_ALL = new Uint8Array(33).fill(0xff);

export class Tails {
  readonly #capacity: number;
  readonly #select: StatementSync;
  readonly #selectAll: StatementSync;
  readonly #upsert: StatementSync;
  readonly #end: StatementSync;
  readonly #sweep: StatementSync;
  #fresh: TailTable;
  #settling: TailTable;
  /** The arrival of the first record whose tail is in `fresh`, and in `settling`. */
  #freshFrom: number;
  #settlingFrom: number;
  /** Of `settling`: what is written back, in this order, and how much of it was. */
  #order: Uint32Array = new Uint32Array();
  #written = 0;
  /** How often the end of the table is still to be reached; and where sweeping has come to. */
  #rounds = 0;
  #sweptName: Uint8Array = BEFORE_ALL;
  #sweptPartition = -1;

  /**
   * @param capacity how many tails are buffered before they are written back; a power of two.
   * @param replayFrom as the last one to have this table said; the caller sets the tails from there on again.
   */
  constructor(db: DatabaseSync, capacity: number, replayFrom: number) {
    this.#capacity = capacity;
    this.#fresh = new TailTable(capacity);
    this.#settling = new TailTable(capacity);
    this.#freshFrom = replayFrom;
    this.#settlingFrom = replayFrom;
    this.#select = db.prepare("SELECT last_offset FROM tail WHERE name = ? AND partition = ?");
    this.#selectAll = db.prepare("SELECT partition, last_offset FROM tail WHERE name = ?");
    this.#upsert = db.prepare(
      "INSERT INTO tail VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last_offset = excluded.last_offset",
    );
    this.#end = db.prepare(
      "SELECT name, partition FROM tail WHERE (name, partition) > (?, ?) ORDER BY name, partition LIMIT 1 OFFSET ?",
    );
    this.#sweep =
      db.prepare(`DELETE FROM tail WHERE (name, partition) > (?, ?) AND (name, partition) <= (?, ?)
      AND NOT EXISTS (SELECT 1 FROM partition WHERE id = tail.partition AND retired = 0
        AND ((keeps_latest AND log_start <= tail.last_offset) OR horizon <= tail.last_offset))`);
  }

  /**
   * May name a record that was dropped since; undefined if none is known.
   * @param exactFrom what is stored below this is not to be trusted: see IndexedPartition.
   */
  last(partition: number, name: Uint8Array, exactFrom: number): number | undefined {
    const known = this.#inMemory(partition, name);
    if (known !== undefined) return known === NONE ? undefined : known;
    const row = this.#select.get(name, partition);
    const stored = row === undefined ? NONE : integer(row.last_offset);
    return stored === NONE || stored < exactFrom ? undefined : stored;
  }

  /** The last offset in each of some partitions in which there is one. May be that of a record dropped since. */
  lastIn(partitions: readonly number[], name: Uint8Array): ReadonlyMap<number, number> {
    const stored = new Map<number, number>();
    for (const row of this.#selectAll.all(name)) stored.set(integer(row.partition), integer(row.last_offset));
    const tails = new Map<number, number>();
    for (const partition of partitions) {
      const last = this.#inMemory(partition, name) ?? stored.get(partition) ?? NONE;
      if (last !== NONE) tails.set(partition, last);
    }
    return tails;
  }

  /** @param offset undefined takes back what was set. */
  set(partition: number, name: Uint8Array, offset: number | undefined): void {
    this.#fresh.set(partition, name, offset ?? NONE);
  }

  get full(): boolean {
    return this.#fresh.count >= this.#capacity;
  }

  /** Writes back up to `count` of the tails that are due; all of them with Infinity. In a transaction. */
  writeBehind(count: number): void {
    const end = Math.min(this.#order.length, this.#written + count);
    for (; this.#written < end; this.#written++) {
      const entry = this.#order[this.#written] ?? 0;
      const settling = this.#settling;
      this.write(settling.partitionAt(entry), settling.nameAt(entry), settling.offsetAt(entry));
    }
  }

  /** Writes one tail at once. In a transaction. */
  write(partition: number, name: Uint8Array, offset: number): void {
    this.#upsert.run(name, partition, offset);
  }

  /** How far writing back has come, for `restore` if the transaction fails. */
  get written(): number {
    return this.#written;
  }

  restore(written: number): void {
    this.#written = written;
  }

  /**
   * Begins to write back what was buffered. Only after `writeBehind(Infinity)` was committed, with every
   * record before `arrival`.
   */
  settle(arrival: number): void {
    [this.#fresh, this.#settling] = [this.#settling, this.#fresh];
    this.#fresh.clear();
    this.#order = this.#settling.sorted();
    this.#written = 0;
    this.#settlingFrom = this.#freshFrom;
    this.#freshFrom = arrival;
  }

  /** The arrival from which on records may have tails that the table lacks. */
  replayFrom(): number {
    return this.#written < this.#order.length ? this.#settlingFrom : this.#freshFrom;
  }

  /**
   * Looks at the next `count` rows of the table, round and round, and deletes those that say nothing any more:
   * by what the table of partitions says. In a transaction. Called for twice as many rows as records were
   * dropped, it keeps the table below twice what it must hold, without a look-up for each record dropped.
   */
  sweep(count: number): void {
    const row = this.#end.get(this.#sweptName, this.#sweptPartition, count - 1);
    const name = row === undefined ? AFTER_ALL : bytes(row.name);
    const partition = row === undefined ? 0 : integer(row.partition);
    this.#sweep.run(this.#sweptName, this.#sweptPartition, name, partition);
    if (row === undefined) this.#rounds = Math.max(0, this.#rounds - 1);
    this.#sweptName = row === undefined ? BEFORE_ALL : name;
    this.#sweptPartition = row === undefined ? -1 : partition;
  }

  /** Has the whole table swept, however little is dropped: nothing shall be left of what the log deleted. */
  sweepAll(): void {
    // On to the end, and then round: one who is told so again and again gets round all the same.
    this.#rounds = 2;
  }

  get isSweeping(): boolean {
    return this.#rounds > 0;
  }

  #inMemory(partition: number, name: Uint8Array): number | undefined {
    return this.#fresh.get(partition, name) ?? this.#settling.get(partition, name);
  }
}
