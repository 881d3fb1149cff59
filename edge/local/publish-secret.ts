/**
 * What `npm start` marks published records with, if nothing else is set. It is made once for a data folder, so that a publish
 * that comes again after a restart is known.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../shared/node/make-folder.ts";
import { type Checked, reason } from "./checks.ts";

/** In the data folder. */
const FILE = "publish-secret";
const SECRET_BYTES = 32;

export function localSecret(dataDir: string): Checked<string> {
  const file = join(dataDir, FILE);
  try {
    if (!isThere(file)) make(dataDir, file);
    if ((statSync(file).mode & 0o077) === 0) return { ok: true, value: readFileSync(file, "utf8").trim() };
    return wrong(`${file} can be read by others than its owner: chmod 600 it`);
  } catch (error) {
    return wrong(`${file} can't be read: ${reason(error)}`);
  }
}

/** Whole, or not at all; of two processes that make it at once, the first one's counts. */
function make(dataDir: string, file: string): void {
  makeFolder(dataDir);
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, `${randomBytes(SECRET_BYTES).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!isThere(file)) throw error;
  } finally {
    rmSync(draft);
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

function wrong(problem: string): Checked<string> {
  return { ok: false, problem: `DATA_DIR: the secret of publishes ${problem}` };
}
