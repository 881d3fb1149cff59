import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EmbeddedLog, logPath, type NewRecord } from "../../../origin/embedded/log.ts";
import { epochOf } from "../../../origin/source/epoch.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";

let folder: string;
let path: string;
let log: EmbeddedLog;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "embedded-"));
  path = join(folder, "log.sqlite");
  log = new EmbeddedLog(path);
});
afterEach(() => {
  log.close();
  rmSync(folder, { recursive: true });
});

const refusal = (code: string, message = /./) =>
  expect.objectContaining({ name: "LogError", code, message: expect.stringMatching(message) });

function thrownBy(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

const record = (value: string, rest: Partial<NewRecord> = {}): NewRecord => ({
  key: Buffer.from("k"),
  value: Buffer.from(value),
  ...rest,
});
const records = (count: number, rest: Partial<NewRecord> = {}) =>
  Array.from({ length: count }, (_, i) => record(String(i), rest));
const valuesOf = (partition: number, from = 0, maxRecords = 1e6, maxBytes = 1e9) =>
  log
    .read("t", partition, from, maxRecords, maxBytes)
    .map(({ value }) => Buffer.from(value ?? []).toString());
const endsOf = (topic: string) => log.topic(topic)?.partitions.map(({ endOffset }) => endOffset);

/** What this process has read from files. */
function readBytes(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

test("who reads or appends beside a large record doesn't read that", () => {
  log.createTopic("t", { partitions: 1 });
  log.append("t", [...records(10), record("a".repeat(8_000_000)), ...records(10)]);

  const before = readBytes();
  for (let i = 0; i < 20; i++) {
    log.append("t", records(1));
    valuesOf(0, 12 + i, 1);
    valuesOf(0, 3, 1);
  }

  expect(readBytes() - before).toBeLessThan(8_000_000);
});

describe("topics", () => {
  test("a topic has 6 partitions unless told, is made once, and is the same after opening the file again", () => {
    expect(log.createTopic("t")).toBe(true);
    expect(log.createTopic("t", { partitions: 9 })).toBe(false);
    const { id } = log.topic("t") ?? {};
    log.close();

    log = new EmbeddedLog(path);

    expect(log.topic("t")?.id).toEqual(id);
    expect(id?.length).toBe(16);
    expect(endsOf("t")).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("a deleted topic takes its records with it; the next of the name is another, and others stay", () => {
    log.createTopic("t", { partitions: 1 });
    log.createTopic("other", { partitions: 1 });
    log.append("t", records(3));
    log.append("other", records(2));
    const { id } = log.topic("t") ?? {};

    expect(log.deleteTopic("t")).toBe(true);
    expect(log.deleteTopic("t")).toBe(false);
    expect(log.topic("t")).toBeUndefined();
    expect(log.read("t", 0, 0, 10, 10)).toEqual([]);
    log.createTopic("t", { partitions: 2 });

    expect(log.topic("t")?.id).not.toEqual(id);
    expect(endsOf("t")).toEqual([0, 0]);
    expect(valuesOf(0)).toEqual([]);
    expect(endsOf("other")).toEqual([2]);
  });

  test.each([
    ["", {}],
    ["..", {}],
    ["a/b", {}],
    ["x".repeat(250), {}],
    ["t", { partitions: 0 }],
    ["t", { partitions: 1_001 }],
    ["t", { partitions: 1.5 }],
    ["t", { retainRecords: 0 }],
    ["t", { retainRecords: Number.NaN }],
  ])("a topic %j with %j is refused", (name, settings) => {
    expect(thrownBy(() => log.createTopic(name, settings))).toEqual(refusal("invalid_topic"));
    expect(log.topic(name)).toBeUndefined();
  });
});

describe("appending", () => {
  test("[P4] the answer says in order where each record is: partition, epoch and dense offsets", () => {
    log.createTopic("t", { partitions: 2 });
    const { id } = log.topic("t") ?? { id: new Uint8Array() };
    const at = (partition: number, offset: number) => ({
      partition,
      offset,
      epoch: epochOf(id, partition),
    });

    const first = log.append("t", [
      record("a", { partition: 1 }),
      record("b", { partition: 0 }),
      record("c", { partition: 1 }),
    ]);
    const second = log.append("t", [record("d", { partition: 1 })]);

    expect([...first, ...second]).toEqual([at(1, 0), at(0, 0), at(1, 1), at(1, 2)]);
    expect(valuesOf(1)).toEqual(["a", "c", "d"]);
  });

  test("keys choose the partition as Kafka's producer does; the empty key too", () => {
    log.createTopic("t", { partitions: 7 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (key) => {
        expect(log.append("t", [{ key, value: null }])[0]?.partition).toBe(partitionOf(key, 7));
      }),
    );
  });

  test("records without a key are spread over all partitions", () => {
    log.createTopic("t", { partitions: 4 });

    for (let i = 0; i < 6; i++) log.append("t", records(2, { key: null }));

    expect(endsOf("t")).toEqual([3, 3, 3, 3]);
  });

  test("a record without a timestamp gets the time of its append", () => {
    log.createTopic("t", { partitions: 1 });
    const before = Date.now();

    log.append("t", [record("a"), record("b", { timestamp: 0 })]);

    const [now, old] = log.read("t", 0, 0, 10, 1e6).map(({ timestamp }) => timestamp ?? Number.NaN);
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
    expect(old).toBe(0);
  });

  test("any bytes of keys, values and headers come back, and null is not empty", () => {
    log.createTopic("t", { partitions: 1 });
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null });
    const header = fc.tuple(fc.string({ unit: "grapheme" }), bytes);
    const any = fc.record({
      key: bytes,
      value: bytes,
      headers: fc.array(header),
      timestamp: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 10 }), (written) => {
        const [first] = log.append("t", written);
        const read = log.read("t", 0, first?.offset ?? -1, 10, 1e9);
        expect(read.map(({ offset: _, ...rest }) => rest)).toEqual(written);
      }),
    );
  });

  test.each([
    ["unknown_partition", { partition: 2 }],
    ["unknown_partition", { partition: -1 }],
    ["unknown_partition", { partition: 0.5 }],
    ["invalid_record", { timestamp: -1 }],
    ["invalid_record", { timestamp: 1.5 }],
  ])("a record that is refused with %s takes its whole append with it: %j", (code, rest) => {
    log.createTopic("t", { partitions: 2 });

    expect(thrownBy(() => log.append("t", [record("a", { partition: 0 }), record("b", rest)]))).toEqual(
      refusal(code),
    );

    expect(endsOf("t")).toEqual([0, 0]);
    expect(valuesOf(0)).toEqual([]);
    expect(log.append("t", [record("c", { partition: 0 })])[0]?.offset).toBe(0);
  });

  test("a topic that does not exist is refused with unknown_topic", () => {
    expect(thrownBy(() => log.append("t", [record("a")]))).toEqual(refusal("unknown_topic", /"t"/));
  });
});

describe("reading", () => {
  test("a read is bounded in records and bytes, but gives one record at least", () => {
    log.createTopic("t", { partitions: 1 });
    log.append(
      "t",
      ["aaaa", "bbbb", "cccccccccc", "d"].map((value) => record(value, { headers: [] })),
    );

    expect(valuesOf(0, 1, 2)).toEqual(["bbbb", "cccccccccc"]);
    expect(valuesOf(0, 0, 10, 10)).toEqual(["aaaa", "bbbb"]);
    expect(valuesOf(0, 0, 10, 9)).toEqual(["aaaa"]);
    expect(valuesOf(0, 2, 10, 1)).toEqual(["cccccccccc"]);
    expect(valuesOf(0, 4)).toEqual([]);
  });

  test("headers count towards the bytes of a read", () => {
    log.createTopic("t", { partitions: 1 });
    log.append("t", records(3, { headers: [["name", new Uint8Array(1_000)]] }));

    expect(valuesOf(0, 0, 10, 1_500)).toEqual(["0"]);
  });

  test("within a snapshot nothing changes, whatever others write; after it all is there", () => {
    log.createTopic("t", { partitions: 1 });
    log.append("t", [record("a")]);
    const other = new EmbeddedLog(path);

    log.snapshot(() => {
      expect(endsOf("t")).toEqual([1]);
      other.append("t", [record("b")]);
      other.trim("t", 0, 1);
      expect(endsOf("t")).toEqual([1]);
      expect(valuesOf(0)).toEqual(["a"]);
    });

    other.close();
    expect(valuesOf(0)).toEqual(["b"]);
  });
});

describe("dropping old records", () => {
  test("trimming drops what lies below an offset and moves the start; a lower one later does nothing", () => {
    log.createTopic("t", { partitions: 2 });
    log.append("t", [...records(5, { partition: 0 }), ...records(2, { partition: 1 })]);

    log.trim("t", 0, 3);
    log.trim("t", 0, 1);

    expect(log.topic("t")?.partitions).toEqual([
      { startOffset: 3, endOffset: 5 },
      { startOffset: 0, endOffset: 2 },
    ]);
    expect(valuesOf(0)).toEqual(["3", "4"]);
    expect(valuesOf(1)).toEqual(["0", "1"]);
  });

  test("trimming past the end empties the partition, whose offsets go on", () => {
    log.createTopic("t", { partitions: 1 });
    log.append("t", records(5));

    log.trim("t", 0, 100);

    expect(log.topic("t")?.partitions).toEqual([{ startOffset: 5, endOffset: 5 }]);
    expect(log.append("t", [record("next")])[0]?.offset).toBe(5);
    expect(thrownBy(() => log.trim("t", 1, 0))).toEqual(refusal("unknown_partition"));
    expect(thrownBy(() => log.trim("u", 0, 0))).toEqual(refusal("unknown_topic"));
  });

  test("each partition keeps the newest records that its topic retains, and little more", () => {
    log.createTopic("t", { partitions: 2, retainRecords: 50 });
    log.append("t", records(20, { partition: 1 }));

    for (let i = 0; i < 60; i++) {
      log.append("t", records(100, { partition: 0 }));
      const { startOffset = -1, endOffset = -1 } = log.topic("t")?.partitions[0] ?? {};
      expect(endOffset).toBe((i + 1) * 100);
      expect(endOffset - startOffset).toBeGreaterThanOrEqual(50);
      expect(endOffset - startOffset).toBeLessThanOrEqual(1_050);
      expect(valuesOf(0, startOffset).length).toBe(endOffset - startOffset);
      expect(valuesOf(0, 0).length).toBe(endOffset - startOffset);
    }

    log.append("t", records(5_000, { partition: 0 }));
    expect(log.topic("t")?.partitions).toEqual([
      { startOffset: 10_950, endOffset: 11_000 },
      { startOffset: 0, endOffset: 20 },
    ]);
  });

  test("a file whose records come and go does not grow", () => {
    log.createTopic("t", { partitions: 1, retainRecords: 100 });
    const fill = () => {
      for (let i = 0; i < 20; i++) log.append("t", records(500, { value: new Uint8Array(1_000) }));
      log.close();
      log = new EmbeddedLog(path);
      return statSync(path).size;
    };

    const filled = fill();

    for (let i = 0; i < 3; i++) expect(fill()).toBeLessThan(filled * 1.2);
  });
});

describe("changes", () => {
  test("whoever listens is told the topic after each change of this log object, and no longer once it stops", () => {
    const told: [string, unknown][] = [];
    const stop = log.onChange((topic) => told.push([topic, endsOf(topic)]));

    log.createTopic("t", { partitions: 1 });
    log.append("t", records(2));
    log.append("t", []);
    log.trim("t", 0, 1);
    log.deleteTopic("t");
    stop();
    log.createTopic("u");

    expect(told).toEqual([
      ["t", [0]],
      ["t", [2]],
      ["t", [2]],
      ["t", undefined],
    ]);
  });

  test("the data version changes with what other connections write, and with nothing else", () => {
    log.createTopic("t");
    const other = new EmbeddedLog(path);
    const version = log.dataVersion();

    log.append("t", records(1));
    expect(log.dataVersion()).toBe(version);
    other.append("t", records(1));
    const changed = log.dataVersion();

    expect(changed).not.toBe(version);
    expect(log.dataVersion()).toBe(changed);
    other.close();
  });
});

describe("the file", () => {
  test("it is made with its folder, at one place in a data folder", () => {
    const deep = logPath(join(folder, "a", "b"));

    new EmbeddedLog(deep).close();

    expect(deep).toBe(join(folder, "a", "b", "origin", "log.sqlite"));
    expect(statSync(deep).isFile()).toBe(true);
  });

  const opened = (at: string) => thrownBy(() => new EmbeddedLog(at));

  test("a file that is no database, or another program's, is refused with unknown_format and left alone", () => {
    const text = join(folder, "text");
    writeFileSync(text, "It was a bright cold day in April. ".repeat(100));
    const foreign = join(folder, "foreign");
    const database = new DatabaseSync(foreign);
    database.exec("CREATE TABLE cats (name TEXT)");

    expect(opened(text)).toEqual(refusal("unknown_format", /text is not a database/));
    expect(opened(foreign)).toEqual(refusal("unknown_format", /foreign is a database of something else/));
    expect(database.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
    database.close();
  });

  test("a log of another version is refused with unknown_format, which names both", () => {
    log.close();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 2");
    database.close();

    expect(opened(path)).toEqual(refusal("unknown_format", /version 2.*version 1/));
  });

  test("a place that can't be opened is refused with unavailable", () => {
    mkdirSync(join(folder, "d"));
    writeFileSync(join(folder, "f"), "");

    expect(opened(join(folder, "d"))).toEqual(refusal("unavailable"));
    expect(opened(join(folder, "f", "log.sqlite"))).toEqual(refusal("unavailable", /folder/));
  });

  test("damage is reported as corrupt: of the file, and of a record's headers by its place", () => {
    log.createTopic("t", { partitions: 1 });
    log.append("t", records(2_000, { value: new Uint8Array(500) }));
    const database = new DatabaseSync(path);
    database.exec("UPDATE record SET headers = x'ffffff7f00' WHERE offset = 7");
    database.close();

    expect(log.read("t", 0, 0, 7, 1e9).length).toBe(7);
    expect(thrownBy(() => log.read("t", 0, 0, 8, 1e9))).toEqual(refusal("corrupt", /t\/0 at 7/));

    log.close();
    truncateSync(path, statSync(path).size - 200 * 4_096);
    expect(opened(path)).toEqual(refusal("corrupt", /damaged/));
  });

  test("a log that was closed says unavailable, and closing it again does nothing", () => {
    log.createTopic("t");
    log.close();
    log.close();

    for (const use of [
      () => log.topic("t"),
      () => log.append("t", [record("a")]),
      () => log.read("t", 0, 0, 1, 1),
      () => log.dataVersion(),
    ])
      expect(thrownBy(use)).toEqual(refusal("unavailable", /closed/));
  });
});
