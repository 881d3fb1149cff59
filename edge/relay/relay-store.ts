/**
 * The SQL of an object of many endpoints: rows that are written when it has been quiet for a while, and read when it begins to
 * run with connections of a life before (L14). Nearly always one for each connection whose attachment can't hold what it follows,
 * and a few for how far all endpoints are.
 */
import { run, type Sql } from "../sql.ts";
import type { RelayRows } from "./keeping.ts";
import { CHUNK_CHARACTERS } from "./kept.ts";

export class RelayStore implements RelayRows {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#run(
      "CREATE TABLE IF NOT EXISTS states (chunk INTEGER PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL)",
    );
    this.#run(
      "CREATE TABLE IF NOT EXISTS followed (id TEXT, chunk INTEGER, version INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (id, chunk)) WITHOUT ROWID",
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
    const connections = new Map<string, { readonly version: number; readonly follows: string }>();
    for (const row of this.#run("SELECT id, version, value FROM followed ORDER BY id, chunk")) {
      const [id, value] = [String(row.id), String(row.value)];
      const before = connections.get(id)?.follows ?? "";
      connections.set(id, { version: Number(row.version), follows: before + value });
    }
    return connections;
  }

  saveConnection(id: string, version: number, follows: string): void {
    const chunks = Math.ceil(follows.length / CHUNK_CHARACTERS);
    this.#run("DELETE FROM followed WHERE id = ? AND chunk >= ?", id, chunks);
    for (let chunk = 0; chunk < chunks; chunk++)
      this.#run(
        "INSERT OR REPLACE INTO followed (id, chunk, version, value) VALUES (?, ?, ?, ?)",
        id,
        chunk,
        version,
        follows.slice(chunk * CHUNK_CHARACTERS, (chunk + 1) * CHUNK_CHARACTERS),
      );
  }

  dropConnection(id: string): void {
    this.#run("DELETE FROM followed WHERE id = ?", id);
  }

  clear(): void {
    this.#run("DELETE FROM states");
    this.#run("DELETE FROM followed");
  }

  #run(query: string, ...values: (string | number)[]): Record<string, unknown>[] {
    return run(this.#sql, query, ...values);
  }
}
