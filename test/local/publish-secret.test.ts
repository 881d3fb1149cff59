/** What `npm start` marks published records with. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { localSecret } from "../../edge/local/publish-secret.ts";
import { readPublishSecrets } from "../../shared/config/publish-secrets.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "distributary-secret-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const file = () => join(dataDir, "publish-secret");

test("[W3] it is made once for a data folder, so that a publish is known after a restart, and only its owner can read it", () => {
  const made = localSecret(dataDir);
  if (!made.ok) throw new Error(made.problem);

  expect(readPublishSecrets(made.value)).toMatchObject({ ok: true });
  expect(localSecret(dataDir)).toEqual(made);
  expect(readdirSync(dataDir)).toEqual(["publish-secret"]);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
});

test("one that others can read is refused, with the remedy", () => {
  localSecret(dataDir);
  chmodSync(file(), 0o644);

  expect(localSecret(dataDir)).toEqual({ ok: false, problem: expect.stringContaining("chmod 600 it") });
});
