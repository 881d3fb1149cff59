import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Batches } from "../../../origin/index/batches.ts";
import { IndexError } from "../../../origin/index/error.ts";
import { Partitions } from "../../../origin/reading/partitions.ts";
import { prove } from "../../../origin/watch/proof.ts";
import { tailsIn } from "../../../origin/watch/subject.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { batch, bytes, IndexFixture, PAGE, ROOMY, record, text } from "../../support/index-records.ts";
import { STREAM } from "../../support/small-origin.ts";

let fixture = new IndexFixture();
afterEach(() => fixture.remove());

function make(options?: ConstructorParameters<typeof IndexFixture>[0]): IndexFixture {
  fixture.remove();
  fixture = new IndexFixture(options);
  return fixture;
}
const values = (records: readonly { value: unknown }[]) => records.map(({ value }) => text(value));
const offsets = (records: readonly { epoch: string; offset: number }[]) =>
  records.map(({ epoch, offset }) => `${epoch}:${offset}`);
const everything = (key: string, topic = "t") => fixture.index.after(topic, bytes(key), new Map(), PAGE);

/** Both states in which a record can be: buffered in memory, and on disk. */
const states = [
  ["buffered", () => {}],
  ["written", () => fixture.settle()],
  ["written and opened again", () => fixture.reopen()],
] as const;

describe.each(states)("records that are %s", (_, state) => {
  test("are read in order of arrival across partitions, each with its predecessor in its own", () => {
    const { index } = make();
    fixture.begin("t", 0, "a");
    fixture.begin("t", 1, "b");
    index.append("t", 0, "a", batch(record(0, "k", "1"), record(1, "other", "x")));
    index.append("t", 1, "b", batch(record(4, "k", "2")));
    index.append("t", 0, "a", batch(record(7, "k", "3"), record(8, "k", "4")));
    state();
    const { records, more } = everything("k");
    expect(values(records)).toEqual(["1", "2", "3", "4"]);
    expect(records.map(({ previous }) => previous)).toEqual([undefined, undefined, 0, 7]);
    expect(more).toBe(false);
    const position = new Map([
      ["a", 8],
      ["b", 4],
    ]);
    expect(fixture.index.tails("t", bytes("k"))).toEqual(position);
    expect(fixture.index.latest("t", bytes("k"))).toMatchObject({ record: { offset: 8 }, position });
  });

  test("keep bytes, timestamp, headers, tombstones, and the difference of an empty key and none", () => {
    make();
    fixture.begin("t", 0, "a");
    const headers = [
      ["h", bytes("1")],
      ["h", null],
    ] as const;
    const key = new Uint8Array();
    fixture.index.append("t", 0, "a", {
      records: [
        { offset: 0, timestamp: undefined, key, value: new Uint8Array([0, 255]), headers },
        { offset: 1, timestamp: 77, key, value: null, headers: [] },
        { offset: 2, timestamp: 77, key: null, value: bytes("nobody's"), headers: [] },
      ],
      nextOffset: 3,
      endOffset: 3,
    });
    state();
    const [first, second, ...others] = everything("").records;
    expect(first).toMatchObject({ timestamp: undefined, value: new Uint8Array([0, 255]), headers });
    expect(second).toMatchObject({ timestamp: 77, value: null, headers: [] });
    expect(others).toEqual([]);
    expect(fixture.index.facts().partitions[0]).toMatchObject({ keyless: 1, keyTooLong: 0 });
  });

  test("without a key, or with one that is too long, are counted and not held", () => {
    make();
    fixture.begin("t", 0, "a");
    const longest = "k".repeat(LIMITS.keyBytes);
    const taken = fixture.index.append(
      "t",
      0,
      "a",
      batch(
        record(0, null, "v"),
        record(1, `${longest}k`, "v"),
        record(2, longest, "held"),
        record(3, null, "v"),
      ),
    );
    expect(offsets(taken)).toEqual(["a:2"]);
    state();
    expect(values(everything(longest).records)).toEqual(["held"]);
    expect(everything(`${longest}k`).records).toEqual([]);
    expect(fixture.index.facts().partitions[0]).toMatchObject({ keyless: 2, keyTooLong: 1, checkpoint: 4 });
  });

  test("with a value that is too large are held without it", () => {
    make();
    fixture.begin("t", 0, "a");
    const value = new Uint8Array(LIMITS.valueBytes + 1).fill(0x78);
    const base = { timestamp: 1, key: bytes("k"), headers: [] };
    fixture.index.append(
      "t",
      0,
      "a",
      batch({ offset: 0, value: value.subarray(1), ...base }, { offset: 1, value, ...base }),
    );
    state();
    const [whole, omitted] = everything("k").records;
    expect(whole?.value).toHaveLength(LIMITS.valueBytes);
    expect(omitted?.value).toEqual({ omitted: LIMITS.valueBytes + 1 });
    expect(fixture.index.facts().partitions[0]).toMatchObject({ omitted: 1 });
  });
});

describe("append", () => {
  test("takes each offset once: what lies below the checkpoint is ignored", () => {
    make();
    fixture.begin("t", 0, "a");
    const { index } = fixture;
    index.append("t", 0, "a", batch(record(0, "k", "1"), record(1, "k", "2")));
    expect(index.append("t", 0, "a", batch(record(0, "k", "1"), record(1, "k", "2")))).toEqual([]);
    const taken = index.append("t", 0, "a", batch(record(1, "k", "2"), record(2, "k", "3")));
    expect(taken).toMatchObject([{ epoch: "a", offset: 2, previous: 1 }]);
    expect(values(everything("k").records)).toEqual(["1", "2", "3"]);
  });

  test("moves the checkpoint past offsets that hold nothing, also over a restart", () => {
    make();
    fixture.begin("t", 0, "a");
    fixture.index.append("t", 0, "a", { records: [], nextOffset: 12, endOffset: 12 });
    expect(fixture.index.checkpoint("t", 0, "a")).toBe(12);
    fixture.reopen();
    expect(fixture.index.checkpoint("t", 0, "a")).toBe(12);
  });

  test("is refused for a partition that was not begun, and for an epoch that is not its own any more", () => {
    make();
    const code = (epoch: string) => {
      try {
        return fixture.index.append("t", 0, epoch, batch(record(0, "k", "v")));
      } catch (error) {
        return error instanceof IndexError ? error.code : error;
      }
    };
    expect(code("a")).toBe("not_begun");
    fixture.begin("t", 0, "a");
    fixture.begin("t", 0, "b");
    expect(code("a")).toBe("not_begun");
    expect(code("b")).toHaveLength(1);
  });
});

describe("begin", () => {
  const info = (epoch: string, startOffset: number, endOffset: number) => ({
    partition: 0,
    epoch,
    startOffset,
    endOffset,
  });

  test("goes on from the checkpoint as long as the log holds what comes next", () => {
    make();
    expect(fixture.index.begin("t", info("a", 0, 10), 3)).toEqual({ from: 3, anew: "new" });
    fixture.index.append("t", 0, "a", batch(record(3, "k", "v"), record(4, "k", "v")));
    fixture.reopen();
    for (const [start, end, held] of [
      [0, 10, ["a:3", "a:4"]],
      [0, 5, ["a:3", "a:4"]],
      [4, 10, ["a:4"]],
      [5, 10, []],
    ] as const) {
      expect(fixture.index.begin("t", info("a", start, end), 0)).toEqual({ from: 5, anew: undefined });
      expect(offsets(everything("k").records)).toEqual(held);
    }
  });

  test.each([
    ["the topic was created again", "epoch", info("b", 0, 10)],
    ["the log no longer holds what comes next", "hole", info("a", 6, 10)],
    ["the log ends before what was read", "truncated", info("a", 0, 4)],
  ] as const)("where %s, what was known answers nothing any more", (_, anew, described) => {
    make();
    fixture.begin("t", 0, "a");
    fixture.begin("t", 1, "other");
    fixture.index.append("t", 0, "a", batch(record(3, "k", "v"), record(4, "k", "v")));
    fixture.index.append("t", 1, "other", batch(record(0, "k", "stays")));
    expect(fixture.index.begin("t", described, described.startOffset)).toEqual({
      from: described.startOffset,
      anew,
    });
    const check = () => {
      expect(values(everything("k").records)).toEqual(["stays"]);
      expect(fixture.index.checkpoint("t", 0, described.epoch)).toBe(described.startOffset);
      expect(fixture.index.views("t", bytes("k"))).toContainEqual({
        partition: 0,
        epoch: described.epoch,
        horizon: described.startOffset,
        wholeFrom: described.startOffset,
        deletedTo: 0,
        checkpoint: described.startOffset,
        tail: undefined,
      });
    };
    check();
    fixture.reopen();
    check();
    const [first] = fixture.index.append("t", 0, described.epoch, batch(record(8, "k", "new")));
    expect(first?.previous).toBeUndefined();
    // Nothing of it remains on disk either.
    for (let ticks = 0; ticks < 3; ticks++) fixture.settle();
    expect(fixture.index.facts().partitions.map(({ records }) => records)).toEqual([1, 1]);
  });

  test("a topic that is not exposed any more is forgotten", () => {
    make({ topics: { t: {}, gone: {} } });
    fixture.begin("gone", 0, "g");
    fixture.index.append("gone", 0, "g", batch(record(0, "k", "v")));
    fixture.begin("t", 0, "t");
    expect([...fixture.index.topics()].toSorted()).toEqual(["gone", "t"]);
    fixture.topics.delete("gone");
    fixture.reopen();
    expect(fixture.index.views("gone", bytes("k"))).toEqual([]);
    expect([...fixture.index.topics()]).toEqual(["t"]);
    fixture.topics.set("gone", { maxAgeMs: undefined, keepLatest: false });
    fixture.reopen();
    expect(fixture.begin("gone", 0, "g")).toEqual({ from: 0, anew: "new" });
  });
});

describe("what it proves of a position", () => {
  function prepare() {
    make({ bounds: { ...ROOMY, maxRecords: 2 } });
    fixture.begin("t", 0, "a");
    fixture.begin("t", 1, "b");
    fixture.index.append("t", 0, "a", batch(record(8, "k", "1")));
    fixture.settle();
    fixture.index.append("t", 0, "a", batch(record(9, "k", "2"), record(20, "k", "3")));
    fixture.settle();
    fixture.index.append("t", 1, "b", batch(record(0, "elsewhere", "4")));
    fixture.settle();
    fixture.index.append("t", 1, "b", batch(record(1, "elsewhere", "5")));
    // a: 0–20 dropped. b: complete.
    fixture.settle();
    fixture.index.append("t", 0, "a", { ...batch(record(30, "k", "6")), nextOffset: 35 });
  }

  /** By an origin that has read both partitions, of which the second is the home of what is known nowhere. */
  function proved(key: string, from: Record<string, number>) {
    const partitions = new Partitions(["t"]);
    partitions.describe("t", [
      { partition: 0, epoch: "a", next: 35, end: 35 },
      { partition: 1, epoch: "b", next: 2, end: 2 },
    ]);
    const ports = { history: fixture.index, partitions, homeOf: () => 1 };
    const endpoint = { topic: "t", key: bytes(key), path: `/t/${key}`, stream: STREAM };
    const subject = { endpoint, tails: tailsIn(ports, endpoint) };
    return prove(ports, subject, new Map(Object.entries(from)));
  }

  test("[R3] all from the one before the horizon up to the last offset that was read", () => {
    prepare();
    expect(fixture.index.facts().partitions.map(({ horizon }) => horizon)).toEqual([21, 0]);
    for (const offset of [20, 25, 34]) expect(proved("k", { a: offset })).toBe("recovered");
    expect(proved("k", { a: 20, b: 0 })).toBe("recovered");
  });

  test("[R4] nothing before the horizon, ahead, or in another epoch", () => {
    prepare();
    expect(proved("k", { a: 19 })).toBe("horizon");
    expect(proved("k", { a: 35 })).toBe("ahead");
    expect(proved("k", { a: 25, z: 1 })).toBe("epoch");
  });

  test("[R3] a partition that the position does not name matters where the key is known and something was dropped", () => {
    prepare();
    expect(proved("k", { b: 0 })).toBe("horizon");
    expect(proved("elsewhere", { a: 25 })).toBe("recovered");
    expect(proved("unknown", { b: 1 })).toBe("recovered");
  });
});

describe("pages", () => {
  test("hold at least one record, however large, and lead on to the next", () => {
    make();
    fixture.begin("t", 0, "a");
    fixture.index.append(
      "t",
      0,
      "a",
      batch(...[0, 1, 2].map((offset) => record(offset, "k", "x".repeat(100)))),
    );
    const from = new Map<string, number>();
    const seen: string[] = [];
    for (let more = true; more; ) {
      const page = fixture.index.after("t", bytes("k"), from, { maxRecords: 10, maxBytes: 1 });
      expect(page.records).toHaveLength(1);
      seen.push(...offsets(page.records));
      for (const { epoch, offset } of page.records) from.set(epoch, offset);
      ({ more } = page);
    }
    expect(seen).toEqual(["a:0", "a:1", "a:2"]);
  });

  test.each([
    ["a key in every record", 1],
    ["a key in one record of each batch", 300],
    ["a key in few batches", 5_000],
  ])("are the same for %s, and read a small part of the batches", (_, every) => {
    make();
    fixture.begin("t", 0, "a");
    const expected: number[] = [];
    for (let offset = 0; offset < 40_000; offset += 1_000) {
      const records = Array.from({ length: 1_000 }, (_, at) => {
        const isIt = (offset + at) % every === 7 % every;
        if (isIt) expected.push(offset + at);
        return record(offset + at, isIt ? "k" : `other ${at}`, "value");
      });
      fixture.index.append("t", 0, "a", batch(...records));
      fixture.settle();
    }
    const reads = vi.spyOn(Batches.prototype, "endingAtOrAfter");
    onTestFinished(() => reads.mockRestore());
    for (const from of [-1, 6_999, 39_000]) {
      reads.mockClear();
      const limits = { maxRecords: 5, maxBytes: 1e6 };
      const page = fixture.index.after("t", bytes("k"), new Map([["a", from]]), limits);
      const after = expected.filter((offset) => offset > from);
      expect(page.records.map(({ offset }) => offset)).toEqual(after.slice(0, 5));
      expect(page.more).toBe(after.length > 5);
      // Of 160 and more.
      expect(reads.mock.calls.length).toBeLessThan(40);
    }
  });
});

describe("recent records", () => {
  const limits = { maxRecords: 10, maxBytes: 1e6, maxAgeMs: 100, now: 1_000 };

  test("are the newest within every limit, oldest first", () => {
    make();
    fixture.begin("t", 0, "a");
    fixture.begin("t", 1, "b");
    fixture.index.append("t", 0, "a", batch(record(0, "k", "1", 899), record(1, "k", "2", 900)));
    fixture.index.append("t", 1, "b", batch(record(0, "k", "3", 950)));
    fixture.index.append("t", 0, "a", batch(record(2, "k", "4", 960)));
    const recent = (changed: Partial<typeof limits>) =>
      values(fixture.index.recent("t", bytes("k"), { ...limits, ...changed }));
    expect(recent({})).toEqual(["2", "3", "4"]);
    expect(recent({ maxAgeMs: 101 })).toEqual(["1", "2", "3", "4"]);
    expect(recent({ maxRecords: 2 })).toEqual(["3", "4"]);
    expect(recent({ maxBytes: 5 })).toEqual(["3", "4"]);
    expect(recent({ maxBytes: 0 })).toEqual(["4"]);
    expect(recent({ now: 5_000 })).toEqual(["4"]);
    expect(fixture.index.recent("t", bytes("unknown"), limits)).toEqual([]);
  });
});
