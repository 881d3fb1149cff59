/** What survives crashes, full disks, damaged files and other processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { IndexError } from "../../../origin/index/error.ts";
import { openIndex } from "../../../origin/index/index.ts";
import { FORMAT_VERSION } from "../../../origin/index/schema.ts";
import { batch, bytes, IndexFixture, PAGE, ROOMY, record, text } from "../../support/index-records.ts";
import { nthBatch, WRITER_KEYS, WRITER_PARTITIONS } from "../../support/index-writer.ts";

let fixture = new IndexFixture();
afterEach(() => fixture.remove());

function make(options?: ConstructorParameters<typeof IndexFixture>[0]): IndexFixture {
  fixture.remove();
  fixture = new IndexFixture(options);
  return fixture;
}
const path = () => join(fixture.directory, "index.db");
const held = (key: string) =>
  fixture.index.after("t", bytes(key), new Map(), PAGE).records.map(({ value }) => text(value));
function codeOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error instanceof IndexError ? error.code : error;
  }
  return "none";
}
function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("a crash", () => {
  test("takes what was buffered and not written, and the checkpoint goes back to just before it", () => {
    make();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "1"), record(1, null, "2")));
    fixture.settle();
    const lost = batch(record(2, "k", "3"), record(3, null, "4"));
    fixture.index.append("t", 0, "a", lost);
    expect(held("k")).toEqual(["1", "3"]);
    fixture.crash();
    expect(held("k")).toEqual(["1"]);
    expect(fixture.index.checkpoint("t", 0, "a")).toBe(2);
    expect(fixture.index.facts().partitions[0]).toMatchObject({ keyless: 1 });
    expect(fixture.index.append("t", 0, "a", lost)).toMatchObject([{ offset: 2, previous: 0 }]);
    expect(held("k")).toEqual(["1", "3"]);
  });

  test("takes no tail, whether or not it had been written back", () => {
    make();
    fixture.begin("t", 0, "a");
    // More keys than are buffered before tails are written back, three times over.
    const keys = 40_000;
    for (let offset = 0; offset < 3 * keys; offset += 4_000) {
      const records = Array.from({ length: 4_000 }, (_, at) =>
        record(offset + at, `k${(offset + at) % keys}`, "v"),
      );
      fixture.index.append("t", 0, "a", batch(...records));
    }
    fixture.settle();
    fixture.crash();
    const next = fixture.index.checkpoint("t", 0, "a") ?? 0;
    expect(next).toBe(3 * keys);
    for (let key = 0; key < keys; key += 97)
      expect(fixture.index.tails("t", bytes(`k${key}`))).toEqual(new Map([["a", 2 * keys + key]]));
    const taken = fixture.index.append(
      "t",
      0,
      "a",
      batch(...Array.from({ length: keys }, (_, at) => record(next + at, `k${at}`, "v"))),
    );
    for (const { offset, previous } of taken) expect(previous).toBe(offset - keys);
  });

  test("kill -9 between appends: reading on from the checkpoint leaves nothing out and takes nothing twice", async () => {
    make({ topics: { t: {}, c: { keepLatest: true } } });
    fixture.index.close();
    const writer = join(import.meta.dirname, "../../support/index-writer.ts");
    for (const lines of [1, 9, 40]) {
      const child = spawn(process.execPath, [writer, fixture.directory], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = once(child, "exit");
      let seen = 0;
      for await (const _ of createInterface(child.stdout)) if (++seen === lines) break;
      child.kill("SIGKILL");
      expect(await exited).toEqual([null, "SIGKILL"]);
    }
    expect(fixture.open().rebuilt).toBeUndefined();
    const checkpoints = WRITER_PARTITIONS.map(({ topic, partition, epoch }) => {
      const checkpoint = fixture.index.checkpoint(topic, partition, epoch) ?? 0;
      expect(checkpoint).toBeGreaterThan(0);
      return checkpoint;
    });
    checkWriter(checkpoints);
    const ends = WRITER_PARTITIONS.map(({ topic, partition, epoch }, at) => {
      const on = nthBatch(checkpoints[at] ?? 0, 500);
      fixture.index.append(topic, partition, epoch, on);
      return on.nextOffset;
    });
    checkWriter(ends);
  }, 60_000);
});

/** Everything that the writer's partitions must hold up to some offsets, and nothing else. */
function checkWriter(checkpoints: readonly number[]): void {
  for (const [at, { topic, epoch }] of WRITER_PARTITIONS.entries()) {
    const expected = new Map<string, { offset: number; previous: number | undefined; value: string }[]>();
    for (const { offset, key, value } of nthBatch(0, checkpoints[at] ?? 0).records) {
      if (key === null) continue;
      const before = expected.get(text(key)) ?? [];
      expected.set(text(key), before);
      before.push({ offset, previous: before.at(-1)?.offset, value: text(value) });
    }
    for (const key of WRITER_KEYS) {
      const limits = { maxRecords: 1e6, maxBytes: 1e9 };
      const { records } = fixture.index.after(topic, bytes(key), new Map(), limits);
      const found = records.filter((one) => one.epoch === epoch);
      expect(found.map(({ offset, previous, value }) => ({ offset, previous, value: text(value) }))).toEqual(
        expected.get(key) ?? [],
      );
    }
  }
}

describe("a file that can't be used", () => {
  const damage: [string, () => void, "format" | "corrupt", boolean][] = [
    ["is no database", () => writeFileSync(path(), "hello, ".repeat(2_000)), "corrupt", true],
    [
      "is another program's database",
      () => foreign("CREATE TABLE t (a); PRAGMA user_version = 1"),
      "corrupt",
      true,
    ],
    ["says that a later SQLite wrote it", () => patch(18, 3), "corrupt", true],
    ["lacks a table", () => foreign("DROP TABLE tail", false), "corrupt", true],
    ["lacks its state", () => foreign("DELETE FROM state", false), "corrupt", true],
    [
      "has a later format",
      () => foreign(`PRAGMA user_version = ${FORMAT_VERSION + 1}`, false),
      "format",
      false,
    ],
  ];
  function patch(at: number, byte: number) {
    const file = readFileSync(path());
    file.writeUInt8(byte, at);
    writeFileSync(path(), file);
  }
  function foreign(sql: string, anew = true) {
    if (anew) writeFileSync(path(), "");
    const db = new DatabaseSync(path());
    db.exec(sql);
    db.close();
  }

  test.each(damage)("because it %s makes room for a new one, and that is told", (_, harm, reason, kept) => {
    make();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "v")));
    fixture.index.close();
    harm();
    const before = readFileSync(path());
    const { rebuilt } = fixture.open();
    expect(rebuilt).toMatchObject({ reason, aside: kept ? `${path()}.corrupt` : undefined });
    expect(rebuilt?.message).not.toBe("");
    if (kept) expect(readFileSync(`${path()}.corrupt`).equals(before)).toBe(true);
    expect(fixture.begin("t", 0, "a")).toEqual({ from: 0, anew: "new" });
    fixture.index.append("t", 0, "a", batch(record(0, "k", "v")));
    expect(fixture.reopen().rebuilt).toBeUndefined();
    expect(held("k")).toEqual(["v"]);
  });

  test("because a value in it was damaged is noticed when it is read, and made anew at the next start", () => {
    make();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "a value to be found")));
    fixture.index.close();
    const file = readFileSync(path());
    const at = file.indexOf("a value to be found");
    file.write("X", at);
    writeFileSync(path(), file);
    expect(fixture.open().rebuilt).toBeUndefined();
    expect(codeOf(() => held("k"))).toBe("corrupt");
    expect(codeOf(() => fixture.index.tails("t", bytes("other")))).toBe("corrupt");
    expect(readdirSync(fixture.directory)).toEqual(["index.db.corrupt", "index.lock"]);
    fixture.open();
    expect(fixture.begin("t", 0, "a")).toEqual({ from: 0, anew: "new" });
  });

  /** Writes a value, and damages it on the disk. */
  function damageValue(): void {
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "a value to be found")));
    fixture.index.close();
    const file = readFileSync(path());
    file.write("X", file.indexOf("a value to be found"));
    writeFileSync(path(), file);
    fixture.open();
  }

  test("is put aside, and the error says where; the last one is kept, and no other", () => {
    make();
    for (const round of [1, 2, 3]) {
      damageValue();
      const damaged = readFileSync(path());
      expect(thrownBy(() => held("k"))).toMatchObject({ code: "corrupt", aside: `${path()}.corrupt` });
      expect(readdirSync(fixture.directory), `round ${round}`).toEqual(["index.db.corrupt", "index.lock"]);
      expect(readFileSync(`${path()}.corrupt`).equals(damaged)).toBe(true);
      fixture.open();
    }
  });

  test("that was put aside counts as the index's size, and goes when the disk is full", () => {
    make();
    damageValue();
    expect(codeOf(() => held("k"))).toBe("corrupt");
    const db = fixture.reopenFile();
    const { size } = statSync(`${path()}.corrupt`);
    fixture.begin("t", 0, "a");
    expect(fixture.index.facts().diskBytes).toBeGreaterThan(size + statSync(path()).size - 1);
    fixture.index.append("t", 0, "a", batch(record(0, "k", "v")));
    db.exec("CREATE TEMP TRIGGER fail BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'failed'); END");
    fixture.now += 200;

    expect(codeOf(() => fixture.index.tick())).toBe("disk_failed");

    expect(existsSync(`${path()}.corrupt`)).toBe(false);
    db.exec("DROP TRIGGER fail");
  });

  test("is noticed by those who ask for facts, and they are told what is known", () => {
    make();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "v")));
    fixture.index.close();
    fixture.open();
    truncateSync(path(), 16_384);

    expect(fixture.index.facts().partitions).toMatchObject([{ records: 1, oldestAt: undefined }]);
    expect(codeOf(() => fixture.index.tick())).toBe("corrupt");
  });

  test("is never answered with anything but a coded error, wherever it is damaged", () => {
    make({ topics: { t: {}, c: { keepLatest: true, maxAgeMs: 10 } } });
    for (const [topic, epoch] of [
      ["t", "a"],
      ["c", "b"],
    ] as const) {
      fixture.begin(topic, 0, epoch);
      for (let offset = 0; offset < 600; offset += 60) {
        const records = Array.from({ length: 60 }, (_, at) => record(offset + at, `k${at}`, "v".repeat(200)));
        fixture.index.append(topic, 0, epoch, batch(...records));
        fixture.settle();
      }
    }
    fixture.index.close();
    const sound = readFileSync(path());
    const codes = new Set<unknown>();
    fc.assert(
      fc.property(
        fc.nat({ max: sound.length - 1 }),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.boolean(),
        (at, bytesOver, cut) => {
          const file = Buffer.from(sound);
          file.set(bytesOver.subarray(0, file.length - at), at);
          writeFileSync(path(), file);
          if (cut) truncateSync(path(), at);
          const code = codeOf(() => {
            fixture.open();
            for (const topic of ["t", "c"])
              for (let key = 0; key < 60; key++) {
                fixture.index.after(topic, bytes(`k${key}`), new Map(), PAGE);
                fixture.index.latest(topic, bytes(`k${key}`));
              }
            fixture.begin("t", 0, "new");
            fixture.index.append("t", 0, "new", batch(record(0, "k", "v")));
            fixture.settle();
          });
          codes.add(code);
          expect(fixture.index.facts().partitions.length).toBeLessThanOrEqual(2);
          expect(["none", "corrupt", "disk_failed"]).toContain(code);
          expect(["none", "corrupt", "disk_failed"]).toContain(codeOf(() => fixture.index.close()));
        },
      ),
      { numRuns: 60 },
    );
    expect(codes.size).toBeGreaterThan(1);
  });
});

describe("a disk that is full or fails", () => {
  test("takes nothing more, answers what it has, and goes on when there is room again", () => {
    make();
    const db = fixture.reopenFile();
    fixture.begin("t", 0, "a");
    const large = "v".repeat(100_000);
    const next = (offset: number) => batch(record(offset, "k", large), record(offset + 1, "other", large));
    db.exec("PRAGMA max_page_count = 1");
    let offset = 0;
    let code: unknown = "none";
    for (; code === "none" && offset < 100; offset += 2)
      code = codeOf(() => fixture.index.append("t", 0, "a", next(offset)));
    expect(code).toBe("disk_failed");
    offset -= 2;
    expect(fixture.index.checkpoint("t", 0, "a")).toBe(offset);
    expect(held("k")).toHaveLength(offset / 2);
    fixture.now += 200;
    expect(codeOf(() => fixture.index.tick())).toBe("disk_failed");
    db.exec("PRAGMA max_page_count = 1000000");
    expect(fixture.index.append("t", 0, "a", next(offset))).toMatchObject([{ previous: offset - 2 }, {}]);
    fixture.reopen();
    expect(held("k")).toHaveLength(offset / 2 + 1);
    expect(fixture.index.facts().partitions[0]).toMatchObject({ records: offset + 2, horizon: 0 });
  });

  test("at the last statement of a write leaves everything as it was", () => {
    make({ topics: { t: { maxAgeMs: 1_000 } } });
    const db = fixture.reopenFile();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "dropped")));
    fixture.settle();
    const before = fixture.index.facts().partitions;
    fixture.now += 2_000;
    fixture.index.append("t", 0, "a", batch(record(1, "k", "held", fixture.now)));
    db.exec("CREATE TEMP TRIGGER fail BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'failed'); END");
    fixture.now += 200;
    for (let tries = 0; tries < 2; tries++) {
      expect(codeOf(() => fixture.index.tick())).toBe("disk_failed");
      expect(fixture.index.facts().partitions).toMatchObject([{ ...before[0], checkpoint: 2 }]);
      expect(held("k")).toEqual(["dropped", "held"]);
    }
    db.exec("DROP TRIGGER fail");
    fixture.index.tick();
    expect(fixture.index.facts().partitions).toMatchObject([{ records: 1, horizon: 1, checkpoint: 2 }]);
    expect(held("k")).toEqual(["held"]);
  });

  test("and a batch that it never got are forgotten: no later one is taken for that", () => {
    make({ topics: { t: { maxAgeMs: 1_000, keepLatest: true } } });
    const db = fixture.reopenFile();
    fixture.begin("t", 0, "a");
    fixture.now += 10_000;
    // So old that they go as they come, but for the latest of each key.
    fixture.index.append("t", 0, "a", batch(record(0, "k", "1", 1)));
    db.exec("CREATE TEMP TRIGGER fail BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'failed'); END");
    fixture.now += 200;
    expect(codeOf(() => fixture.index.tick())).toBe("disk_failed");
    fixture.index.append("t", 0, "a", batch(record(1, "other", "2", 1)));
    db.exec("DROP TRIGGER fail");
    fixture.index.tick();

    expect([held("k"), held("other")]).toEqual([["1"], ["2"]]);
  });

  test("loses no tail that was being written back", () => {
    make();
    const db = fixture.reopenFile();
    fixture.begin("t", 0, "a");
    const keys = 40_000;
    const all = Array.from({ length: keys }, (_, at) => record(at, `k${at}`, "v"));
    fixture.index.append("t", 0, "a", batch(...all));
    fixture.settle();
    // Those tails are now written back with each transaction.
    db.exec("CREATE TEMP TRIGGER fail BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'failed'); END");
    fixture.index.append("t", 0, "a", batch(record(keys, "k0", "v")));
    fixture.now += 200;
    expect(codeOf(() => fixture.index.tick())).toBe("disk_failed");
    db.exec("DROP TRIGGER fail");
    fixture.reopen();
    expect(fixture.index.facts().partitions).toMatchObject([{ records: keys + 1 }]);
    for (let key = 1; key < keys; key += 7)
      expect(fixture.index.tails("t", bytes(`k${key}`))).toEqual(new Map([["a", key]]));
  });

  test("while a record's predecessor is looked up takes nothing of its batch", () => {
    make();
    const db = fixture.reopenFile();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "1"), record(1, "x", "2")));
    const next = batch(record(2, "k", "3"), record(3, "k", "4"), record(4, "unknown", "5"));
    db.exec("ALTER TABLE tail RENAME TO elsewhere");
    expect(codeOf(() => fixture.index.append("t", 0, "a", next))).toBe("disk_failed");
    expect(fixture.index.checkpoint("t", 0, "a")).toBe(2);
    db.exec("ALTER TABLE elsewhere RENAME TO tail");
    expect(held("k")).toEqual(["1"]);
    const taken = fixture.index.append("t", 0, "a", next);
    expect(taken.map(({ previous }) => previous)).toEqual([0, 2, undefined]);
  });
});

describe("a tick", () => {
  test("writes what has waited for 200 ms, also where the clock was set back, and nothing when all is written", () => {
    make();
    const db = fixture.reopenFile();
    const writes = () => Number(db.prepare("SELECT total_changes() AS n").get()?.n);
    fixture.begin("t", 0, "gone");
    fixture.begin("t", 0, "a");
    for (let ticks = 0; ticks < 3; ticks++) fixture.settle();
    const idle = writes();
    fixture.settle();
    expect(writes()).toBe(idle);

    fixture.index.append("t", 0, "a", batch(record(0, "k", "1")));
    fixture.now += 199;
    fixture.index.tick();
    expect(writes()).toBe(idle);
    fixture.now += 1;
    fixture.index.tick();
    expect(writes()).toBeGreaterThan(idle);

    fixture.index.append("t", 0, "a", batch(record(1, "k", "2")));
    fixture.now -= 3_600_000;
    fixture.index.tick();
    expect(fixture.index.facts().partitions).toMatchObject([{ records: 2 }]);
  });
});

describe("opening", () => {
  const options = (directory: string) => ({ directory, topics: new Map(), bounds: ROOMY, now: () => 0 });

  test("says so where the folder can't be made or written", () => {
    make();
    writeFileSync(join(fixture.directory, "file"), "");
    expect(codeOf(() => openIndex(options(join(fixture.directory, "file"))))).toBe("unwritable");
    expect(codeOf(() => openIndex(options(join(fixture.directory, "file/below"))))).toBe("unwritable");
  });

  test("says so where another has the index open", () => {
    make();
    expect(codeOf(() => openIndex(options(fixture.directory)))).toBe("in_use");
    expect(existsSync(`${path()}.corrupt`)).toBe(false);
    fixture.index.close();
    openIndex(options(fixture.directory)).index.close();
  });

  test("a closed index answers nothing, and closes again without complaint", () => {
    make();
    fixture.index.close();
    fixture.index.close();
    expect(codeOf(() => fixture.index.latest("t", bytes("k")))).toBe("closed");
    expect(codeOf(() => fixture.index.tick())).toBe("closed");
  });
});
