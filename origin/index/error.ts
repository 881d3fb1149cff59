/**
 * - `unwritable`: the folder or the file in it can't be made, read or written.
 * - `in_use`: another process has this index open.
 * - `disk_failed`: the disk is full or failed. Nothing was taken and nothing is lost; try again later.
 * - `corrupt`: the file holds what can't be. It was put aside; open the index anew and it is built from the log.
 * - `removed`: the log no longer holds all that was written after what was read of a partition. Nothing was taken: it
 *   must be begun anew.
 * - `not_begun`: there was no `begin` for this partition, or a later one for another epoch of it.
 * - `closed`: the index is closed.
 */
export type IndexErrorCode =
  | "unwritable"
  | "in_use"
  | "disk_failed"
  | "corrupt"
  | "removed"
  | "not_begun"
  | "closed";

export class IndexError extends Error {
  readonly code: IndexErrorCode;
  /** Where the file was put that is `corrupt`; undefined if the disk didn't allow even that. */
  aside: string | undefined;

  constructor(code: IndexErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "IndexError";
    this.code = code;
  }
}

/** Whether the index was found damaged, and must be built anew. */
export function isDamage(error: unknown): error is IndexError {
  return error instanceof IndexError && error.code === "corrupt";
}

const SQLITE_ERROR = 1;
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * What an error means: one of SQLite or the file system becomes an IndexError; any other stays what it is once
 * the index is open, since it is a fault of the program.
 */
export function translated(error: unknown, during: "open" | "use"): unknown {
  if (error instanceof IndexError) return error;
  const code = sqliteCode(error);
  if (code === undefined && during === "use") return error;
  const message = error instanceof Error ? error.message : String(error);
  const options = { cause: error };
  if (code === SQLITE_BUSY) return new IndexError("in_use", "another process has the index open", options);
  // While opening, an error of SQL is a table or column that isn't there.
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB || (code === SQLITE_ERROR && during === "open"))
    return new IndexError("corrupt", `the index can't be read: ${message}`, options);
  return during === "open"
    ? new IndexError("unwritable", `the index can't be opened: ${message}`, options)
    : new IndexError("disk_failed", `the index's disk failed: ${message}`, options);
}

/** The primary result code; undefined if the error is none of SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
