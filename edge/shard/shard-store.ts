/**
 * The SQL of a shard: what it must remember over a restart. One row for each object that is attached,
 * written when it comes and deleted when it goes, one for each revocation, one for the generation, and one for how many
 * shards there were.
 */
import * as v from "valibot";
import { parseObject } from "../../shared/protocol/json-object.ts";
import { type Revocation, RevocationSchema } from "../../shared/protocol/revocation.ts";
import { type ObjectIdentity, readIdentity } from "../object-identity.ts";
import { run, type Sql } from "../sql.ts";

/** Objects that have a subscriber and no link ask their shard by themselves (L1). */
const NOTHING_LOST = "nothing is lost by that: objects that are watched attach again";

export class ShardStore {
  readonly #sql: Sql;
  readonly #log: (problem: string) => void;

  constructor(sql: Sql, log: (problem: string) => void) {
    this.#sql = sql;
    this.#log = log;
    this.#createObjects();
    this.#run(
      "CREATE TABLE IF NOT EXISTS generation (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL)",
    );
    this.#run(
      "CREATE TABLE IF NOT EXISTS shards (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL)",
    );
    this.#run(
      "CREATE TABLE IF NOT EXISTS revocations (issuer TEXT, id TEXT, value TEXT NOT NULL, PRIMARY KEY (issuer, id)) WITHOUT ROWID",
    );
  }

  noted(): ObjectIdentity[] {
    return this.#objects().flatMap((text) => {
      const object = readIdentity(text);
      if (object !== undefined) return [object];
      this.#log(`a row of another version, "${text}", is dropped; ${NOTHING_LOST}`);
      this.#delete(text);
      return [];
    });
  }

  note(object: ObjectIdentity): void {
    this.#run("INSERT OR REPLACE INTO objects (identity) VALUES (?)", object);
  }

  forget(object: ObjectIdentity): void {
    this.#delete(object);
  }

  /** 0 before an uplink was first active. */
  generation(): number {
    return Number(this.#run("SELECT value FROM generation")[0]?.value ?? 0);
  }

  setGeneration(value: number): void {
    this.#run("INSERT OR REPLACE INTO generation (id, value) VALUES (1, ?)", value);
  }

  /** How many shards there were when that was last noted. */
  shardsSeen(): number | undefined {
    const [row] = this.#run("SELECT value FROM shards");
    return row && Number(row.value);
  }

  noteShards(value: number): void {
    this.#run("INSERT OR REPLACE INTO shards (id, value) VALUES (1, ?)", value);
  }

  revocations(): Revocation[] {
    return this.#run("SELECT value FROM revocations").flatMap(({ value }) => {
      const read = v.safeParse(RevocationSchema, parseObject(String(value)));
      if (read.success) return [read.output];
      // The row stays: the version that wrote it may come back.
      this.#log("a revocation of another version can't be read, and its tokens count here: make it again");
      return [];
    });
  }

  keepRevocation(revocation: Revocation): void {
    const { meant, id } = revocation;
    const value = JSON.stringify(revocation);
    this.#run(
      "INSERT OR REPLACE INTO revocations (issuer, id, value) VALUES (?, ?, ?)",
      meant.issuer,
      id,
      value,
    );
  }

  dropRevocation(issuer: string, id: string): void {
    this.#run("DELETE FROM revocations WHERE issuer = ? AND id = ?", issuer, id);
  }

  #createObjects(): void {
    this.#run("CREATE TABLE IF NOT EXISTS objects (identity TEXT PRIMARY KEY) WITHOUT ROWID");
  }

  /** The table's layout is looked at only when it can't be read: to ask first would cost rows at each start. */
  #objects(): string[] {
    try {
      return this.#run("SELECT identity FROM objects").map(({ identity }) => String(identity));
    } catch (error) {
      const columns = this.#run("PRAGMA table_info(objects)").map(({ name }) => name);
      if (columns.length === 0 || columns.includes("identity")) throw error;
      // The generation stays: it must grow (U14).
      this.#run("DROP TABLE objects");
      this.#createObjects();
      this.#log(`its table of objects, of another version (${columns}), is dropped; ${NOTHING_LOST}`);
      return [];
    }
  }

  #delete(identity: string): void {
    this.#run("DELETE FROM objects WHERE identity = ?", identity);
  }

  #run(query: string, ...values: (string | number)[]): Record<string, unknown>[] {
    return run(this.#sql, query, ...values);
  }
}
