/**
 * A data folder belongs to one process at a time. The lock is a lock of the operating system, taken by SQLite,
 * so that it ends with the process however that ends; a file with a process id in it would stay.
 */
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeFolder } from "../../shared/node/make-folder.ts";
import { type Checked, reason } from "./checks.ts";
import { TIME_LIMITS } from "./time-limits.ts";

const SQLITE_BUSY = 5;

/** Locks of this process: one that nobody refers to any more is collected, and with that given back. */
const locks = new Set<DatabaseSync>();

/** Makes the folder if it is missing, sees that it can be written, and holds it until the process ends. */
export function holdFolder(folder: string): Checked<string> {
  let lock: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    const file = join(folder, "lock");
    // Nothing is ever written to it: what is in it is damage, by which nobody can hold it.
    if (statSync(file, { throwIfNoEntry: false })?.size) rmSync(file);
    // A run that was killed a moment ago may still be about to end.
    lock = new DatabaseSync(file, { timeout: TIME_LIMITS.folderFreeMs });
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    locks.add(lock);
    return { ok: true, value: folder };
  } catch (error) {
    lock?.close();
    const inUse = error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
    const why = inUse
      ? "is in use by another run; give this one a folder of its own"
      : `can't be written: ${reason(error)}`;
    return { ok: false, problem: `DATA_DIR: ${folder} ${why}` };
  }
}
