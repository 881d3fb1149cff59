/**
 * The embedded log's file: opening it, its format's version, and what SQLite's errors mean to a caller.
 *
 * Every commit is synced to the disk (`synchronous=FULL`) before a reader can see it. NORMAL would do for a
 * process that is killed, but after a power failure it forgets the last commits, and their offsets would be
 * given to other records under the same epoch: a position would name two records. The price is one sync for
 * each append, however many records it has. What is left is the disk: one that says "synced" too early can
 * lose the end of the log when the power fails. There is one copy and no replica: if you need more, use Kafka.
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeFolder } from "../../shared/node/make-folder.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/**
 * - `unknown_topic`, `unknown_partition`: there is no such thing.
 * - `invalid_topic`: a topic's name or settings are not allowed.
 * - `invalid_record`: a record can't be stored; nothing of its append was.
 * - `unknown_format`: the file is no embedded log, or one of another version.
 * - `fenced`: another has taken the partition over.
 * - `unavailable`: the file can't be reached or written just now, or the log is closed.
 * - `corrupt`: the file is damaged.
 */
export type LogErrorCode =
  | "unknown_topic"
  | "unknown_partition"
  | "invalid_topic"
  | "invalid_record"
  | "unknown_format"
  | "fenced"
  | "unavailable"
  | "corrupt";

export class LogError extends Error {
  readonly code: LogErrorCode;

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LogError";
    this.code = code;
  }
}

/** "Dstr": tells the file apart from other programs' databases. */
const APPLICATION_ID = 0x44737472;
const VERSION = 1;

/** What a large transaction leaves of the WAL on the disk, at most. */
const WAL_KEPT_BYTES = 64 * 1024 * 1024;

/**
 * `record` has rows of its own beside the index of its key: SQLite reads a row of a table WITHOUT ROWID whole, however large,
 * whenever it passes it on the way to another.
 */
const SCHEMA = `
  CREATE TABLE topic (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    id BLOB NOT NULL,
    retain_records INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE partition (
    topic INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE record (
    topic INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    key BLOB,
    value BLOB,
    headers BLOB,
    PRIMARY KEY (topic, partition, offset)
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${VERSION};
`;

/** Who appends what is published: the highest number that was given out. Files of before have no such table. */
const WRITERS = `
  CREATE TABLE IF NOT EXISTS writer (
    topic INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
  ) STRICT, WITHOUT ROWID;
`;

/** Opens the file, which is made with its folder if there is none. Throws LogError. */
export function openDatabase(path: string): DatabaseSync {
  try {
    makeFolder(dirname(path));
  } catch (error) {
    throw new LogError("unavailable", `the folder of ${path} can't be made: ${reason(error)}`, {
      cause: error,
    });
  }
  return guarded(path, () => {
    const database = new DatabaseSync(path, { timeout: TIME_LIMITS.embeddedLogBusyMs });
    try {
      prepare(database, path);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  });
}

function prepare(database: DatabaseSync, path: string): void {
  database.exec("BEGIN");
  const ready = isLog(database, path);
  database.exec("COMMIT");
  if (!ready) {
    enterWal(database);
    database.exec("BEGIN IMMEDIATE");
    // Another process may have been faster.
    if (!isLog(database, path)) database.exec(SCHEMA);
    database.exec("COMMIT");
  }
  // Looked for first, since making it waits for others that write.
  if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'writer'").get() === undefined)
    database.exec(WRITERS);
  // The limit is for what a large transaction leaves behind: else that stays on the disk until all have closed.
  database.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`);
}

/** false for an empty database, which is free to become a log. Within a transaction: it asks more than once. */
function isLog(database: DatabaseSync, path: string): boolean {
  const application = pragma(database, "application_id");
  const version = pragma(database, "user_version");
  if (application === APPLICATION_ID && version === VERSION) return true;
  if (application === APPLICATION_ID)
    throw new LogError(
      "unknown_format",
      `${path} is an embedded log of version ${version}; this program knows version ${VERSION}`,
    );
  const { objects } = database.prepare("SELECT count(*) AS objects FROM sqlite_schema").get() as {
    objects: number;
  };
  if (application !== 0 || version !== 0 || objects > 0)
    throw new LogError("unknown_format", `${path} is a database of something else, not an embedded log`);
  return false;
}

/** SQLite does not wait for the lock that this one statement needs, so several processes at once must retry. */
function enterWal(database: DatabaseSync): void {
  const deadline = Date.now() + TIME_LIMITS.embeddedLogBusyMs;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (resultCode(error) !== SQLITE.BUSY || Date.now() > deadline) throw error;
      Atomics.wait(sleeper, 0, 0, TIME_LIMITS.embeddedLogOpenAgainMs);
    }
  }
}

/** A number that SQLite keeps in the file's header. */
function pragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number> | undefined;
  return row?.[name] ?? 0;
}

const SQLITE = { BUSY: 5, CORRUPT: 11, TOOBIG: 18, NOTADB: 26 };
/** PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL */
const PASSING: readonly number[] = [3, 5, 6, 7, 8, 10, 13, 14, 15];

/** Runs `body`; what SQLite throws comes out as a LogError, what is a bug comes out as it is. */
export function guarded<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (isClosed(error)) throw new LogError("unavailable", `${path} is closed`, { cause: error });
    const code = resultCode(error);
    const fail = (as: LogErrorCode, message: string) => new LogError(as, message, { cause: error });
    if (code === SQLITE.NOTADB) throw fail("unknown_format", `${path} is not a database`);
    if (code === SQLITE.CORRUPT) throw fail("corrupt", `${path} is damaged: ${reason(error)}`);
    if (code === SQLITE.TOOBIG) throw fail("invalid_record", `a record is larger than ${path} can hold`);
    if (PASSING.includes(code)) throw fail("unavailable", `${path} can't be used now: ${reason(error)}`);
    throw error;
  }
}

/** SQLite's primary result code; −1 for an error of another kind. */
function resultCode(error: unknown): number {
  if (!(error instanceof Error) || !("errcode" in error)) return -1;
  return typeof error.errcode === "number" ? error.errcode & 0xff : -1;
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE";
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
