/**
 * All SQL of the edge: what a shard must remember over a restart. One row for each object that is attached,
 * written when it comes and deleted when it goes, and one for the generation.
 */

import { count } from "../operations.ts";
import type { Noted } from "./dialer.ts";

export class ShardStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#run("CREATE TABLE IF NOT EXISTS objects (name TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID");
    this.#run(
      "CREATE TABLE IF NOT EXISTS generation (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL)",
    );
  }

  noted(): Noted[] {
    return this.#run("SELECT name, path FROM objects").map(({ name, path }) => ({
      name: String(name),
      path: String(path),
    }));
  }

  note({ name, path }: Noted): void {
    this.#run("INSERT OR REPLACE INTO objects (name, path) VALUES (?, ?)", name, path);
  }

  forget(name: string): void {
    this.#run("DELETE FROM objects WHERE name = ?", name);
  }

  /** 0 before an uplink was first active. */
  generation(): number {
    return Number(this.#run("SELECT value FROM generation")[0]?.value ?? 0);
  }

  setGeneration(value: number): void {
    this.#run("INSERT OR REPLACE INTO generation (id, value) VALUES (1, ?)", value);
  }

  #run(sql: string, ...values: (string | number)[]): Record<string, SqlStorageValue>[] {
    const cursor = this.#sql.exec(sql, ...values);
    const rows = cursor.toArray();
    count("rows_read", cursor.rowsRead);
    count("rows_written", cursor.rowsWritten);
    return rows;
  }
}
