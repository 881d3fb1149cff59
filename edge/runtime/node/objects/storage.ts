/**
 * The SQL of one object: the file that workerd would use, in the same form. What a turn writes is one transaction, which is
 * committed when the turn ends, and on the disk before anything leaves.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { refuse } from "../refused.ts";
import { commitAtEnd } from "../turn.ts";
import { WriteAheadLog } from "./write-ahead-log.ts";

type Value = string | number | null;
type Row = Record<string, unknown>;

export interface StoragePorts {
  /** Throws in a life that is over. */
  requireAlive(): void;
  /** What was written can't be stored: nothing of that turn may leave. */
  failed(error: unknown): void;
}

/** What a query has found and done: as much of the platform's cursor as is used. */
export class Cursor {
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly #rows: Row[];

  constructor(rows: Row[], rowsWritten: number) {
    this.#rows = rows;
    this.rowsRead = rows.length;
    this.rowsWritten = rowsWritten;
  }

  toArray(): Row[] {
    return this.#rows;
  }
}

refuse(Cursor.prototype, "SqlStorageCursor", ["columnNames", "next", "one", "raw"]);

/** By SQLite's codes, as workerd names them; others are only numbers. */
const NAMES: Readonly<Record<number, string>> = {
  1: "ERROR",
  5: "BUSY",
  8: "READONLY",
  10: "IOERR",
  11: "CORRUPT",
  13: "FULL",
  14: "CANTOPEN",
  19: "CONSTRAINT",
  26: "NOTADB",
};
/** Extended codes hold the plain one in their lowest byte. */
const PLAIN = 0xff;

export class Sql {
  readonly #file: string;
  readonly #ports: StoragePorts;
  readonly #statements = new Map<string, StatementSync>();
  #db: DatabaseSync | undefined;
  #log: WriteAheadLog | undefined;
  #isOpen = false;
  /** Of what was written last. */
  #committing = Promise.withResolvers<void>();

  constructor(file: string, ports: StoragePorts) {
    this.#file = file;
    this.#ports = ports;
    this.#committing.resolve();
  }

  exec(query: string, ...values: Value[]): Cursor {
    this.#ports.requireAlive();
    try {
      const db = this.#database();
      const statement = this.#statements.get(query) ?? db.prepare(query);
      this.#statements.set(query, statement);
      this.#begin(db);
      const before = this.#changes(db);
      const rows = statement.all(...values);
      return new Cursor(rows, this.#changes(db) - before);
    } catch (error) {
      throw named(error);
    }
  }

  /** Resolves when all that was written until now is stored; rejects if it can't be. */
  committed(): Promise<void> {
    return this.#committing.promise;
  }

  commit(): Promise<void> | undefined {
    if (!this.#isOpen) return undefined;
    this.#isOpen = false;
    const { resolve, reject } = this.#committing;
    const failed = (error: unknown) => {
      reject(named(error));
      this.#ports.failed(named(error));
    };
    try {
      this.#db?.exec("COMMIT");
      this.#log ??= new WriteAheadLog(this.#file);
      return this.#log.force().then(resolve, failed);
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  /** What isn't committed is lost. */
  close(): void {
    if (this.#isOpen) this.#committing.reject(new Error("the object ended before what it wrote was stored"));
    this.#isOpen = false;
    this.#statements.clear();
    this.#db?.close();
    this.#db = undefined;
    this.#log?.close();
    this.#log = undefined;
  }

  #database(): DatabaseSync {
    if (this.#db !== undefined) return this.#db;
    this.#db = new DatabaseSync(this.#file);
    // A commit doesn't wait for the disk: it is forced to it afterwards.
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    return this.#db;
  }

  #begin(db: DatabaseSync): void {
    if (this.#isOpen) return;
    db.exec("BEGIN");
    this.#isOpen = true;
    this.#committing = Promise.withResolvers<void>();
    // It is told by `failed`, and to those who wait for it.
    this.#committing.promise.catch(() => {});
    commitAtEnd(this);
  }

  #changes(db: DatabaseSync): number {
    const counting = this.#statements.get(CHANGES) ?? db.prepare(CHANGES);
    this.#statements.set(CHANGES, counting);
    return Number(counting.get()?.changes);
  }
}

refuse(Sql.prototype, "SqlStorage", ["Cursor", "Statement", "databaseSize"]);

const CHANGES = "SELECT total_changes() AS changes";

function named(error: unknown): unknown {
  if (!(error instanceof Error && "errcode" in error)) return error;
  const name = NAMES[Number(error.errcode) & PLAIN] ?? error.errcode;
  return new Error(`${error.message}: SQLITE_${name}`, { cause: error });
}
