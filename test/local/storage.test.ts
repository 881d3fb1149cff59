/** Damaged databases of the edge's objects: what is said, and that it helps. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { checkStorage, hintAt } from "../../edge/local/storage.ts";
import { eventually } from "../support/deadline.ts";
import { Child } from "../support/deployment.ts";
import { EDGE_KEYS } from "../support/edge-harness.ts";
import { freePort } from "../support/ports.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let dataDir: string;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "distributary-storage-"));
});

afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const DAMAGES: readonly [string, (file: string) => void][] = [
  ["whose first page is overwritten", (file) => overwrite(file, 0, 100)],
  ["whose later pages are overwritten", (file) => overwrite(file, 4_096)],
  ["that was cut off", (file) => truncateSync(file, 5_000)],
  ["that is a text", (file) => writeFileSync(file, "hello, ".repeat(2_000))],
];

function overwrite(file: string, from: number, to?: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0x41, from, to);
  writeFileSync(file, bytes);
}

/** The databases below a folder, all that was written in them. */
function databases(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".sqlite"))
    .map((file) => join(folder, file));
  for (const file of files) {
    const db = new DatabaseSync(file);
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    db.close();
  }
  return files.sort();
}

/** Whether it is a shard's. */
function hasObjects(file: string): boolean {
  const db = new DatabaseSync(file);
  const table = db.prepare("SELECT name FROM sqlite_master WHERE name = 'objects'").get();
  db.close();
  return table !== undefined;
}

const problemsOf = (folder: string) =>
  checkStorage(folder).flatMap((check) => (check.ok ? [] : [check.problem]));

describe("what is looked at", () => {
  function make(name: string): string {
    const file = join(dataDir, name);
    mkdirSync(dirname(file), { recursive: true });
    const db = new DatabaseSync(file);
    db.exec("CREATE TABLE objects (name TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID");
    const insert = db.prepare("INSERT INTO objects VALUES (?, ?)");
    db.exec("BEGIN");
    for (let i = 0; i < 1_000; i++) insert.run(`/quotes/${i}`, `/quotes/${i}`);
    db.exec("COMMIT");
    db.close();
    return file;
  }

  test("nothing is wrong where there is nothing, or all is sound; an empty file is as good as none", () => {
    expect(problemsOf(dataDir)).toEqual([]);
    make("ShardObject/a.sqlite");
    writeFileSync(join(dataDir, "ShardObject/b.sqlite"), "");
    writeFileSync(join(dataDir, "ShardObject/b.sqlite-shm"), "not looked at");

    expect(problemsOf(dataDir)).toEqual([]);
  });

  test.each(DAMAGES)("a database %s is named, and no other", (_, harm) => {
    const [file, sound] = [make("ShardObject/a.sqlite"), make("ShardObject/metadata.sqlite")];
    harm(file);

    const problems = problemsOf(dataDir);

    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^DATA_DIR: .+ can't be used as it is: .+\. To go on, delete it, /);
    expect(problems[0]).toContain(file);
    expect(problems[0]).not.toContain(sound);
  });

  test("a line that tells of damage gets a hint, others get none", () => {
    expect(hintAt("shard 0: Error: database disk image is malformed: SQLITE_CORRUPT", "/data")).toContain(
      "/data",
    );
    expect(hintAt("/quotes/B: file is not a database: SQLITE_NOTADB", "/data")).toBeDefined();
    expect(hintAt("/quotes/SQLITE_CORRUPT: something else", "/data")).toBeUndefined();
    expect(hintAt("shard 0: an uplink is closed: bad_frame", "/data")).toBeUndefined();
  });
});

describe("npm run edge", () => {
  let port: number;

  beforeEach(async () => {
    port = await freePort();
  });

  function serve(): Child {
    const child = new Child("edge/local/serve.ts", {
      ...process.env,
      PORT: String(port),
      DATA_DIR: dataDir,
      UPLINK_KEYS: EDGE_KEYS,
    });
    onTestFinished(() => child.stop("SIGKILL"));
    return child;
  }

  async function listening(): Promise<Child> {
    const child = serve();
    await eventually(
      () => child.output.includes("the edge listens on"),
      () => `listening\n${child.output}`,
    );
    return child;
  }

  const connected = () => new ScriptedOrigin({ url: `http://127.0.0.1:${port}` }).connect();
  const subscribed = async (key: string) => {
    const subscriber = new RawSubscriber(`ws://127.0.0.1:${port}/quotes/${key}`);
    await subscriber.verdict();
    return subscriber;
  };
  const objects = () => join(dataDir, "edge/objects");

  test("a damaged database ends it with exit code 1 and its name; when it was deleted all goes on", async () => {
    const first = await listening();
    const origin = await connected();
    await subscribed("A");
    origin.cut();
    await first.stop();
    const files = databases(objects());
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) overwrite(file, 0, 100);

    const refused = serve();
    await eventually(() => refused.exited, "its end");

    expect(refused.process.exitCode).toBe(1);
    expect(refused.output.trimEnd().split("\n")).toEqual(
      files.map((file) => expect.stringContaining(`DATA_DIR: ${file} can't be used as it is: `)),
    );
    for (const file of files)
      for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
    await listening();
    const second = await connected();
    const subscriber = await subscribed("A");
    second.append("/quotes/A", { n: 1 });
    await subscriber.until(({ updates }) => updates.length === 1, "an update");
    second.cut();
  }, 60_000);

  test("the rows of another version are dropped, which is logged, and all goes on", async () => {
    const first = await listening();
    const origin = await connected();
    await subscribed("A");
    origin.cut();
    await first.stop();
    const shards = databases(objects()).filter(hasObjects);
    expect(shards).toHaveLength(2);
    for (const file of shards) {
      const db = new DatabaseSync(file);
      db.exec("DROP TABLE objects");
      db.exec("CREATE TABLE objects (name TEXT PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID");
      db.exec("INSERT INTO objects VALUES ('/quotes/A', '/quotes/A')");
      db.close();
    }

    const child = await listening();
    const second = await connected();
    const subscriber = await subscribed("A");
    second.append("/quotes/A", { n: 1 });
    await subscriber.until(({ updates }) => updates.length === 1, "an update");

    for (const shard of [0, 1])
      expect(child.output.split(`shard ${shard}: its table of objects, of another version`)).toHaveLength(2);
    second.cut();
  }, 60_000);

  test("a database that is damaged while it runs is told of once, with where it is and what to do", async () => {
    const child = await listening();
    const origin = await connected();
    onTestFinished(() => origin.cut());
    await subscribed("A");
    for (const name of readdirSync(objects(), { recursive: true, encoding: "utf8" })) {
      const file = join(objects(), name);
      if (statSync(file).isFile()) overwrite(file, 0);
    }

    for (const key of ["B", "C", "D", "E"]) await subscribed(key);

    const hint = `a database below ${objects()} is damaged: `;
    await eventually(
      () => child.output.includes(hint),
      () => `the hint\n${child.output}`,
    );
    expect(child.output.split(hint)).toHaveLength(2);
  }, 60_000);

  test("a lock with something in it, which nobody could hold, is no obstacle", async () => {
    mkdirSync(join(dataDir, "edge"), { recursive: true });
    writeFileSync(join(dataDir, "edge/lock"), "not a database ".repeat(100));

    await listening();
  }, 60_000);
});
