/**
 * The SQL of an object of many endpoints: rows that are written when it has been quiet for a while, and read when it begins to
 * run with connections of a life before (L14). One for each connection whose attachment can't hold what it follows, and a few
 * for how far all endpoints are.
 */
import { count } from "../operations.ts";
import type { Sql } from "../shard/shard-store.ts";
import type { RelayRows } from "./keeping.ts";

export class RelayStore implements RelayRows {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#run(
      "CREATE TABLE IF NOT EXISTS states (chunk INTEGER PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL)",
    );
    this.#run(
      "CREATE TABLE IF NOT EXISTS connections (id TEXT PRIMARY KEY, version INTEGER NOT NULL, follows TEXT NOT NULL) WITHOUT ROWID",
    );
  }

  states(version: number): readonly string[] {
    const rows = this.#run("SELECT value FROM states WHERE version = ? ORDER BY chunk", version);
    return rows.map(({ value }) => String(value));
  }

  saveStates(version: number, chunks: readonly string[]): void {
    this.#run("DELETE FROM states WHERE chunk >= ?", chunks.length);
    for (const [chunk, value] of chunks.entries())
      this.#run(
        "INSERT OR REPLACE INTO states (chunk, version, value) VALUES (?, ?, ?)",
        chunk,
        version,
        value,
      );
  }

  connections(): ReadonlyMap<string, { readonly version: number; readonly follows: string }> {
    const rows = this.#run("SELECT id, version, follows FROM connections");
    return new Map(
      rows.map(({ id, version, follows }) => [
        String(id),
        { version: Number(version), follows: String(follows) },
      ]),
    );
  }

  saveConnection(id: string, version: number, follows: string): void {
    this.#run(
      "INSERT OR REPLACE INTO connections (id, version, follows) VALUES (?, ?, ?)",
      id,
      version,
      follows,
    );
  }

  dropConnection(id: string): void {
    this.#run("DELETE FROM connections WHERE id = ?", id);
  }

  clear(): void {
    this.#run("DELETE FROM states");
    this.#run("DELETE FROM connections");
  }

  #run(sql: string, ...values: (string | number)[]): Record<string, unknown>[] {
    const cursor = this.#sql.exec(sql, ...values);
    const rows = cursor.toArray();
    count("rows_read", cursor.rowsRead);
    count("rows_written", cursor.rowsWritten);
    return rows;
  }
}
