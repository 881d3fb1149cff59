/** The index's file: its tables, its settings, and what becomes of one that can't be used. */
import { closeSync, openSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { makeFolder } from "../../shared/node/make-folder.ts";
import { IndexError, translated } from "./error.ts";

/** Grows with every change of a table or of a blob's format; another one is deleted and built anew. */
export const FORMAT_VERSION = 5;

/** "Dist": tells a file of ours from anything else. */
const APPLICATION_ID = 0x44697374;

const FILE = "index.db";
const LOCK = "index.lock";
const HEADER_BYTES = 100;
const WRITE_VERSION_AT = 18;

/** What went before, if the index had to be built anew. */
export interface Rebuilt {
  readonly reason: "format" | "corrupt";
  /** A sentence for the log. */
  readonly message: string;
  /** Where the unreadable file was moved; undefined if it was deleted. */
  readonly aside: string | undefined;
}

export interface OpenFile {
  readonly db: DatabaseSync;
  readonly path: string;
  /** Holds the file for this process until it is closed. */
  readonly lock: DatabaseSync;
}

/**
 * - One process has the file to itself, by the lock beside it: a second one is told.
 * - 16 KiB pages: a blob takes fewer of them, and the table of tails stays cheap to change.
 * - WAL with `normal`: a crash of the process loses no commit, one of the machine may lose the last ones but
 *   never tears a page. The next fetch offset is lost with them, so the log fills the gap.
 * - The WAL is written back by a thread of its own (write-behind.ts); if that doesn't keep up, by the commit that
 *   makes it 128 MiB large. Up to 64 MiB of it stay on the disk: to write over them takes less than to get new ones.
 * - What is deleted is overwritten, which costs about a twentieth of the time that writing takes: what the log was told
 *   to delete shall not stay in pages that are free.
 * - 64 MiB of cache hold the tails of more than a million keys; no memory map, which would count as resident.
 */
const SETTINGS = `
  PRAGMA page_size = 16384;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = 8192;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -65536;
  PRAGMA mmap_size = 0;
  PRAGMA secure_delete = ON;
`;

const TABLES = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT_VERSION};

  -- arrival: the next record's. replay_from: batches from here on may have tails that table tail lacks.
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    arrival INTEGER NOT NULL,
    replay_from INTEGER NOT NULL
  );
  INSERT INTO state VALUES (1, 0, 0);

  -- One incarnation of a partition, read without a hole. Retired ones answer nothing and are being deleted.
  CREATE TABLE partition (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    number INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0,
    keeps_latest INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL,
    whole_from INTEGER NOT NULL,
    log_start INTEGER NOT NULL,
    records INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0,
    keyless INTEGER NOT NULL DEFAULT 0,
    key_too_long INTEGER NOT NULL DEFAULT 0,
    omitted INTEGER NOT NULL DEFAULT 0
  );

  -- id is the first record's arrival, newest the time of the youngest record, bytes what it counts.
  CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    body BLOB NOT NULL
  );
  CREATE INDEX batch_by_offset ON batch (partition, last_offset);

  -- The last record of a key in a partition. Behind by what replay_from says; may hold what was dropped.
  CREATE TABLE tail (
    name BLOB NOT NULL,
    partition INTEGER NOT NULL,
    last_offset INTEGER NOT NULL,
    PRIMARY KEY (name, partition)
  ) WITHOUT ROWID;

  -- In compacted topics: the last record of a key whose batch was dropped, as a blob of one.
  CREATE TABLE kept (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    name BLOB NOT NULL,
    last_offset INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (partition, name)
  );
  CREATE INDEX kept_by_offset ON kept (partition, last_offset);
`;

/**
 * Opens the index's file in `directory`, or makes it. `load` is what else must be readable for the file to be
 * usable: if it (or anything before it) finds the file corrupt, the file is put aside and a new one made.
 * Throws IndexError `unwritable` or `in_use`.
 */
export function openFile<T>(
  directory: string,
  load: (file: OpenFile) => T,
): { loaded: T; rebuilt: Rebuilt | undefined } {
  const path = join(directory, FILE);
  let lock: DatabaseSync | undefined;
  try {
    makeFolder(directory);
    lock = hold(join(directory, LOCK));
    try {
      return { loaded: attempt(path, lock, load), rebuilt: undefined };
    } catch (error) {
      const failure = translated(error, "open");
      if (!(failure instanceof IndexError) || failure.code !== "corrupt") throw failure;
      const rebuilt = clearAway(path, failure);
      return { loaded: attempt(path, lock, load), rebuilt };
    }
  } catch (error) {
    lock?.close();
    throw translated(error, "open");
  }
}

/** SQLite's own lock, on a file that stays empty: it ends with the process, however that ends. */
function hold(path: string): DatabaseSync {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) rmSync(path);
  const lock = new DatabaseSync(path);
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

function attempt<T>(path: string, lock: DatabaseSync, load: (file: OpenFile) => T): T {
  checkHeader(path);
  const db = new DatabaseSync(path);
  try {
    const application = integer(db.prepare("PRAGMA application_id").get()?.application_id);
    // Nothing is there yet, or making it was cut short.
    const isNew = application === 0 && db.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
    if (!isNew && application !== APPLICATION_ID) throw new IndexError("corrupt", `${path} is not an index`);
    const version = integer(db.prepare("PRAGMA user_version").get()?.user_version);
    if (!isNew && version !== FORMAT_VERSION) throw new OtherFormat(version);
    db.exec(SETTINGS);
    if (isNew) db.exec(`BEGIN; ${TABLES} COMMIT;`);
    return load({ db, path, lock });
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * SQLite opens a file that says it was written by a later version only to read it, as one that may not be written:
 * the byte at 18 is 1 or 2 (https://www.sqlite.org/fileformat.html#file_format_version_numbers).
 */
function checkHeader(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < HEADER_BYTES) return;
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, "r");
  try {
    readSync(file, header);
  } finally {
    closeSync(file);
  }
  if (header.readUInt8(WRITE_VERSION_AT) > 2) throw new IndexError("corrupt", `${path} can't be written`);
}

/** An index in a format of another version of this program. */
class OtherFormat extends IndexError {
  constructor(version: number) {
    super("corrupt", `the index has format ${version}, this program writes ${FORMAT_VERSION}`);
  }
}

function clearAway(path: string, failure: IndexError): Rebuilt {
  if (!(failure instanceof OtherFormat))
    return { reason: "corrupt", message: failure.message, aside: putAside(path) };
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
  return { reason: "format", message: failure.message, aside: undefined };
}

const ASIDE = ".corrupt";

/** Its suffixes that count as the index's size: a file that was put aside may be as large as the index. */
export const SIZED = ["", "-wal", ASIDE] as const;

/** Renames the file, which must be closed. One is kept for people to look at, the last. Returns the new path. */
export function putAside(path: string): string {
  const aside = path + ASIDE;
  for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
  dropAside(path);
  renameSync(path, aside);
  return aside;
}

/** Deletes what was put aside: it needs no disk that is full. */
export function dropAside(path: string): void {
  rmSync(path + ASIDE, { force: true, recursive: true });
}

/** An index that says nothing of its slice has this one. */
export const WHOLE_SLICE = "1/1";

/** Notes for which slice the index is from now on. Returns whether it was for another one. */
export function takeSlice(db: DatabaseSync, slice: string): boolean {
  const isNoted = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'slice'").get() !== undefined;
  const before = isNoted ? text(db.prepare("SELECT value FROM slice").get()?.value) : WHOLE_SLICE;
  if (before === slice) return false;
  transaction(db, () => {
    db.exec("CREATE TABLE IF NOT EXISTS slice (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)");
    db.prepare("INSERT OR REPLACE INTO slice VALUES (1, ?)").run(slice);
  });
  return true;
}

/** Does `work` in a transaction, or nothing of it. */
export function transaction(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    // SQLite may have rolled back by itself.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** A column that must hold a whole number. Throws IndexError `corrupt`. */
export function integer(value: SQLOutputValue | undefined): number {
  if (typeof value !== "number") throw new IndexError("corrupt", "the index holds what is no number");
  return value;
}

/** A column that must hold bytes. Throws IndexError `corrupt`. */
export function bytes(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new IndexError("corrupt", "the index holds what are no bytes");
  return value;
}

/** A column that must hold text. Throws IndexError `corrupt`. */
export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== "string") throw new IndexError("corrupt", "the index holds what is no text");
  return value;
}
