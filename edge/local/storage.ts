/**
 * What the objects store on this machine: SQLite files that workerd makes. One that is damaged would show as an exception
 * of workerd's for whatever touches it, so each is looked at before workerd is started.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Checked, reason } from "./checks.ts";

const NOTHING_LOST = "nothing is lost by that: subscribers come back by position";

/** Nobody may have one of them open. One message a file that can't be used. */
export function checkStorage(folder: string): readonly Checked<string>[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".sqlite"),
  );
  return files.sort().map((file) => checkDatabase(join(folder, file)));
}

function checkDatabase(file: string): Checked<string> {
  const why = faultOf(file);
  if (why === undefined) return { ok: true, value: file };
  const remedy = `delete it, and those beside it that end in -wal and -shm, and start again; ${NOTHING_LOST}`;
  return { ok: false, problem: `DATA_DIR: ${file} can't be used as it is: ${why}. To go on, ${remedy}` };
}

/** What is wrong with it, in SQLite's words; undefined if nothing is. */
function faultOf(file: string): string | undefined {
  let db: DatabaseSync | undefined;
  try {
    if (!statSync(file).isFile()) return "it is no file";
    db = new DatabaseSync(file);
    const found = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    return found === "ok" ? undefined : String(found).replaceAll("\n", " ");
  } catch (error) {
    return reason(error);
  } finally {
    db?.close();
  }
}

/** What a damaged file, or a disk that fails, leads to, as workerd quotes SQLite. No path holds a space. */
const DAMAGE = /: SQLITE_(CORRUPT|NOTADB|IOERR)/;

/** A sentence to follow a line of workerd's that tells of damage and names no file; undefined for other lines. */
export function hintAt(line: string, folder: string): string | undefined {
  if (!DAMAGE.test(line)) return undefined;
  return `a database below ${folder} is damaged: start the edge again, and it says which, and what to do; ${NOTHING_LOST}`;
}
