/** What leaves the index, and what stays. */
import { afterEach, describe, expect, test } from "vitest";
import { batch, bytes, IndexFixture, PAGE, ROOMY, record, text } from "../../support/index-records.ts";

let fixture = new IndexFixture();
afterEach(() => fixture.remove());

function make(options?: ConstructorParameters<typeof IndexFixture>[0]): IndexFixture {
  fixture.remove();
  fixture = new IndexFixture(options);
  return fixture;
}

/** Appends one batch, which is one blob on disk. */
function append(
  topic: string,
  partition: number,
  epoch: string,
  ...records: ReturnType<typeof record>[]
): void {
  fixture.index.append(topic, partition, epoch, batch(...records));
  fixture.settle();
}
const held = (topic: string, key: string) =>
  fixture.index.after(topic, bytes(key), new Map(), PAGE).records.map(({ value }) => text(value));
const facts = (partition = 0) => fixture.index.facts().partitions[partition];

describe("by age", () => {
  test("a batch goes when its youngest record is too old, and the horizon says so", () => {
    make({ topics: { t: { maxAgeMs: 1_000 }, ageless: {} } });
    fixture.begin("t", 0, "a");
    fixture.begin("ageless", 0, "z");
    append("ageless", 0, "z", record(0, "k", "stays", 1_000));
    append("t", 0, "a", record(0, "k", "1", 900), record(5, "k", "2", 1_000));
    append("t", 0, "a", record(6, "k", "3", 1_100));
    fixture.now = 2_000;
    fixture.index.tick();
    expect(held("t", "k")).toEqual(["1", "2", "3"]);
    fixture.now = 2_001;
    fixture.index.tick();
    expect(held("t", "k")).toEqual(["3"]);
    expect(facts()).toMatchObject({ horizon: 6, records: 1 });
    fixture.now = 5_000;
    fixture.index.tick();
    expect(held("t", "k")).toEqual([]);
    expect(fixture.index.tails("t", bytes("k")).size).toBe(0);
    expect(facts()).toMatchObject({ horizon: 7, checkpoint: 7, records: 0, bytes: 0 });
    expect(held("ageless", "k")).toEqual(["stays"]);
  });

  test("a timestamp in the future counts as the time of arrival, and so does a missing one", () => {
    make({ topics: { t: { maxAgeMs: 1_000 } } });
    fixture.begin("t", 0, "a");
    append("t", 0, "a", record(0, "k", "from the future", 1e12));
    append("t", 0, "a", { ...record(1, "k", "timeless"), timestamp: undefined });
    expect(held("t", "k")).toEqual(["from the future", "timeless"]);
    fixture.now += 1_001;
    fixture.index.tick();
    expect(held("t", "k")).toEqual([]);
  });
});

describe("by the bounds of the whole index", () => {
  test("the largest partition gives its oldest batches, a small one keeps its own", () => {
    make({ topics: { busy: {}, quiet: {} }, bounds: { ...ROOMY, maxRecords: 6 } });
    fixture.begin("quiet", 0, "q");
    fixture.begin("busy", 0, "b");
    append("quiet", 0, "q", record(0, "k", "old and quiet"));
    for (let offset = 0; offset < 20; offset++) append("busy", 0, "b", record(offset, "k", String(offset)));
    expect(held("quiet", "k")).toEqual(["old and quiet"]);
    expect(held("busy", "k")).toEqual(["15", "16", "17", "18", "19"]);
    expect(facts(1)).toMatchObject({ horizon: 15, records: 5 });
  });

  test("the bytes on disk stay about what they are bounded to", () => {
    const maxBytes = 2 * 1024 * 1024;
    make({ bounds: { ...ROOMY, maxBytes } });
    fixture.begin("t", 0, "a");
    for (let offset = 0; offset < 30_000; offset += 500)
      append(
        "t",
        0,
        "a",
        ...Array.from({ length: 500 }, (_, at) => record(offset + at, `key ${offset + at}`, "x".repeat(400))),
      );
    expect(facts()?.bytes).toBeLessThanOrEqual(maxBytes);
    expect(facts()?.bytes).toBeGreaterThan(maxBytes - 100_000);
    fixture.reopen();
    expect(fixture.index.facts().diskBytes).toBeLessThan(2 * maxBytes);
  });

  test("bounds that were lowered hold after a few ticks", () => {
    make();
    fixture.begin("t", 0, "a");
    for (let offset = 0; offset < 200; offset++) append("t", 0, "a", record(offset, "k", String(offset)));
    fixture.bounds = { ...ROOMY, maxRecords: 10 };
    fixture.reopen();
    for (let ticks = 0; ticks < 4; ticks++) fixture.settle();
    expect(facts()).toMatchObject({ records: 10, horizon: 190 });
  });
});

describe("the latest record of a key", () => {
  const options = { topics: { c: { keepLatest: true, maxAgeMs: 1_000 }, t: { maxAgeMs: 1_000 } } };
  const expire = () => {
    fixture.now += 2_000;
    fixture.index.tick();
  };

  test("stays beyond age in a compacted topic, a tombstone too, and nowhere else", () => {
    make(options);
    for (const topic of ["c", "t"]) {
      fixture.begin(topic, 0, topic);
      append(
        topic,
        0,
        topic,
        record(0, "k", "1"),
        record(1, "k", "2"),
        record(2, "gone", "x"),
        record(3, "gone", null),
      );
    }
    expire();
    for (const reopened of [false, true]) {
      if (reopened) fixture.reopen();
      expect(held("t", "k")).toEqual([]);
      expect(held("c", "k")).toEqual(["2"]);
      const { record: latest, position } = fixture.index.latest("c", bytes("k"));
      expect(latest).toMatchObject({ epoch: "c", offset: 1, previous: 0 });
      expect(position).toEqual(new Map([["c", 1]]));
      expect(fixture.index.latest("c", bytes("gone")).record).toMatchObject({ offset: 3, value: null });
      expect(facts()).toMatchObject({ horizon: 4, records: 0, kept: 2 });
    }
  });

  test("is the only one held of a key whose others were dropped, and is after no position past it", () => {
    make(options);
    fixture.begin("c", 0, "c");
    append("c", 0, "c", record(0, "k", "1"), record(1, "k", "2"));
    expire();
    const recordsAfter = (offset: number) =>
      fixture.index.after("c", bytes("k"), new Map([["c", offset]]), PAGE).records;
    expect(recordsAfter(0)).toHaveLength(1);
    expect(recordsAfter(1)).toEqual([]);
    const limits = { maxRecords: 10, maxBytes: 100, maxAgeMs: 1, now: fixture.now };
    expect(fixture.index.recent("c", bytes("k"), limits)).toHaveLength(1);
  });

  test("gives way to a newer one, whose predecessor it is, and is replaced when that one is dropped", () => {
    make(options);
    fixture.begin("c", 0, "c");
    append("c", 0, "c", record(0, "k", "1"));
    expire();
    expect(held("c", "k")).toEqual(["1"]);
    append("c", 0, "c", record(1, "k", "2", fixture.now));
    expect(held("c", "k")).toEqual(["2"]);
    expect(fixture.index.latest("c", bytes("k")).record).toMatchObject({ offset: 1, previous: 0 });
    expire();
    expect(held("c", "k")).toEqual(["2"]);
    expect(facts()).toMatchObject({ kept: 1 });
  });

  test("of a key in two partitions is kept in each", () => {
    make(options);
    fixture.begin("c", 0, "c");
    fixture.begin("c", 1, "d");
    append("c", 0, "c", record(0, "k", "1"));
    append("c", 1, "d", record(7, "k", "2"));
    append("c", 0, "c", record(1, "k", "3"));
    expire();
    expect(held("c", "k")).toEqual(["2", "3"]);
    expect(fixture.index.latest("c", bytes("k")).record).toMatchObject({ epoch: "c", offset: 1 });
  });

  test("survives a crash although its tail was never written back", () => {
    make(options);
    fixture.begin("c", 0, "c");
    append("c", 0, "c", record(0, "k", "1"));
    expire();
    fixture.crash();
    expect(held("c", "k")).toEqual(["1"]);
    const [taken] = fixture.index.append("c", 0, "c", batch(record(5, "k", "2")));
    expect(taken?.previous).toBe(0);
  });

  test("goes with its epoch, and with the topic's being compacted", () => {
    make(options);
    fixture.begin("c", 0, "c");
    append("c", 0, "c", record(0, "k", "1"));
    expire();
    fixture.topics.set("c", { maxAgeMs: 1_000, keepLatest: false });
    fixture.reopen();
    expect(held("c", "k")).toEqual([]);
    append("c", 0, "c", record(1, "other", "2", fixture.now));
    expect(facts()).toMatchObject({ kept: 0 });
    fixture.topics.set("c", { maxAgeMs: 1_000, keepLatest: true });
    fixture.reopen();
    expire();
    expect(held("c", "other")).toEqual(["2"]);
    fixture.begin("c", 0, "another");
    expect(held("c", "other")).toEqual([]);
  });
});

describe("a record that was kept", () => {
  test("is not the latest again where its topic was not compacted for a while", () => {
    const [compacted, plain] = [
      { maxAgeMs: 1_000, keepLatest: true },
      { maxAgeMs: 1_000, keepLatest: false },
    ];
    make({ topics: { c: compacted } });
    fixture.begin("c", 0, "c");
    const records = Array.from({ length: 1_200 }, (_, at) => record(at, `k${at}`, "1"));
    append("c", 0, "c", ...records);
    fixture.now += 2_000;
    fixture.index.tick();
    expect(held("c", "k999")).toEqual(["1"]);
    fixture.topics.set("c", plain);
    fixture.reopen();
    append("c", 0, "c", record(1_200, "k999", "2"));
    // Not all that were kept are gone with the first transactions; they go by name, this one at the end.
    expect(facts()).toMatchObject({ horizon: 1_201, records: 0, kept: 176 });
    fixture.topics.set("c", compacted);
    fixture.reopen();
    expect(held("c", "k999")).toEqual([]);
    expect(fixture.index.tails("c", bytes("k999")).size).toBe(0);
  });
});

describe("the predecessor of a record", () => {
  test("is named also where it was dropped, as long as it is remembered", () => {
    make({ topics: { t: { maxAgeMs: 1_000 } } });
    fixture.begin("t", 0, "a");
    append("t", 0, "a", record(3, "k", "1"));
    fixture.now += 2_000;
    fixture.index.tick();
    const [taken] = fixture.index.append("t", 0, "a", batch(record(9, "k", "2")));
    expect(taken?.previous).toBe(3);
  });

  test("is not an older one where a crash took the right one", () => {
    make({ topics: { t: { maxAgeMs: 1_000 }, other: {} } });
    fixture.begin("t", 0, "a");
    fixture.begin("other", 0, "b");
    // Rows that are swept before that of k: what it says stays.
    append("other", 0, "b", ...Array.from({ length: 50 }, (_, at) => record(at, `a${at}`, "v")));
    append("t", 0, "a", record(3, "k", "1"));
    // Its tail is now in the table, the next one's only in memory, and its batch is dropped.
    fixture.reopen();
    append("t", 0, "a", record(5, "k", "2"));
    fixture.now += 2_000;
    fixture.index.tick();
    fixture.crash();
    const [taken] = fixture.index.append("t", 0, "a", batch(record(9, "k", "3")));
    expect(taken?.previous).toBeUndefined();
  });
});
