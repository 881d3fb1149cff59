import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  diskFinding,
  examineEmbedded,
  examineFolder,
  examineStatusPort,
} from "../../../origin/doctor/local.ts";
import { logPath } from "../../../origin/embedded/log.ts";
import { freePort } from "../../support/ports.ts";

const GIB = 1024 ** 3;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "distributary-doctor-"));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

describe("the data folder", () => {
  test("that isn't there yet is as good as the one above it, and is not made", () => {
    const findings = examineFolder(join(folder, "data", "here"), 16 * 1024 ** 2);

    expect(findings.map(({ verdict, what }) => [verdict, what])).toEqual([
      ["ok", "DATA_DIR"],
      ["ok", "disk"],
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("below a file is wrong", () => {
    writeFileSync(join(folder, "file"), "");

    expect(examineFolder(join(folder, "file", "data"), 0)).toMatchObject([
      { verdict: "wrong", says: expect.stringContaining("is a file, and no folder") },
    ]);
  });

  const isRoot = process.getuid?.() === 0;
  test.skipIf(isRoot)(
    `that can't be written is wrong${isRoot ? " (skipped: root may write everywhere)" : ""}`,
    () => {
      chmodSync(folder, 0o500);

      expect(examineFolder(folder, 0)).toMatchObject([
        { verdict: "wrong", says: expect.stringContaining("can't be written by this account") },
      ]);
    },
  );
});

test.each([
  [10 * GIB, 0, 4 * GIB, "ok"],
  [2 * GIB, 0, 4 * GIB, "hint"],
  [2 * GIB, 3 * GIB, 4 * GIB, "ok"],
  [GIB / 32, 4 * GIB, 4 * GIB, "wrong"],
])("of a disk with %d bytes free, an index of %d and at most %d: %s", (free, index, most, verdict) => {
  expect(diskFinding(free, index, most).verdict).toBe(verdict);
});

describe("the embedded log", () => {
  test("that isn't there yet is a hint, and is not made", () => {
    expect(examineEmbedded(folder, undefined)).toMatchObject([{ verdict: "hint", what: "embedded log" }]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("that is no database is wrong", () => {
    const path = logPath(folder);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "no database, however long it is".repeat(100));

    expect(examineEmbedded(folder, undefined)).toMatchObject([{ verdict: "wrong", what: "embedded log" }]);
  });
});

test("a port that is free is fine, one that is taken may be the origin's, and another machine's address is wrong", async () => {
  const port = await freePort();
  expect(await examineStatusPort({ host: "127.0.0.1", port })).toMatchObject({ verdict: "ok" });

  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  expect(await examineStatusPort({ host: "127.0.0.1", port })).toMatchObject({ verdict: "hint" });
  server.close();

  expect(await examineStatusPort({ host: "192.0.2.1", port })).toMatchObject({ verdict: "wrong" });
});
