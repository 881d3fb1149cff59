/** What the log no longer holds, seen from the index: removed before it was read, or deleted after. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { IndexError } from "../../../origin/index/error.ts";
import type { SourceRecord } from "../../../origin/source/source.ts";
import { batch, bytes, IndexFixture, PAGE, record, text } from "../../support/index-records.ts";

let fixture: IndexFixture;
afterEach(() => fixture.remove());

const view = () => fixture.index.views("t", bytes("k"))[0];
const latest = (key = "k") => text(fixture.index.latest("t", bytes(key)).record?.value);
const info = (startOffset: number, endOffset = 1e9) => ({ partition: 0, epoch: "e", startOffset, endOffset });
/** Read while the log ends at `end`. */
const append = (end: number, wholeFrom: number | undefined, ...records: SourceRecord[]) =>
  fixture.index.append("t", 0, "e", {
    ...batch(...records),
    endOffset: end,
    ...(wholeFrom !== undefined && { wholeFrom }),
  });
function make(keepLatest = false, maxAgeMs?: number) {
  fixture = new IndexFixture({ topics: { t: { keepLatest, maxAgeMs } } });
  fixture.begin("t", 0, "e");
}

describe("[R8] records that were removed before they were read", () => {
  const refused = expect.objectContaining({ code: "removed" });

  test("are what compaction leaves while the log is read from its start: the horizon lies after them", () => {
    make();
    append(9, undefined, record(0, "k", "old"), record(1, "k", "before"));
    const [first, second] = append(
      9,
      5,
      record(3, "x", "x"),
      record(5, "k", "after"),
      record(6, "k", "last"),
    );

    expect(first?.previous).toBeUndefined();
    expect([second?.previous, view()]).toEqual([undefined, expect.objectContaining({ horizon: 5, tail: 6 })]);
    expect(
      fixture.index.recent("t", bytes("k"), { ...PAGE, maxAgeMs: 1e9, now: 0 }).map((r) => r.offset),
    ).toEqual([5, 6]);
    // Of a key that has nothing after them the last record is known, and no more.
    expect(latest("x")).toBe("x");
    expect(fixture.index.recent("t", bytes("x"), { ...PAGE, maxAgeMs: 1e9, now: 0 })).toHaveLength(1);
    fixture.reopen();
    expect(view()).toMatchObject({ horizon: 5, wholeFrom: 5, tail: 6 });
  });

  test("are a loss once the log's end was reached: nothing is taken, and all is begun anew", () => {
    make();
    append(2, undefined, record(0, "k", "v"), record(1, "x", "v"));

    expect(() => append(9, 8, record(8, "x", "v"))).toThrow(IndexError);
    expect(view()).toMatchObject({ checkpoint: 2, horizon: 0 });
    expect(fixture.index.begin("t", info(0), 0, true)).toEqual({ from: 0, anew: "removed" });

    expect([latest(), latest("x")]).toEqual(["", ""]);
    append(9, 8, record(8, "x", "v"));
    expect([latest(), latest("x"), view()?.horizon]).toEqual(["", "v", 8]);
  });

  test("are a loss after a restart, however far reading had come", () => {
    make();
    append(9, undefined, record(0, "k", "v"));
    fixture.reopen();
    expect(fixture.index.begin("t", info(0), 0)).toEqual({ from: 1, anew: undefined });

    let thrown: unknown;
    try {
      append(9, 8, record(8, "x", "v"));
    } catch (error) {
      thrown = error;
    }

    expect(thrown).toEqual(refused);
  });

  test("are no matter where they were read before", () => {
    make();
    append(2, undefined, record(0, "k", "v"), record(1, "k", "w"));

    append(3, 1, record(1, "k", "w"), record(2, "k", "x"));

    expect(view()).toMatchObject({ horizon: 0, checkpoint: 3, tail: 2 });
  });
});

describe.each([true, false])("[R9] what the log deleted, where the latest is kept: %s", (keepLatest) => {
  const files = () =>
    ["", "-wal"].map((suffix) =>
      readFileSync(join(fixture.directory, `index.db${suffix}`)).toString("latin1"),
    );

  test("is served no longer, at once and after a restart; what lies behind it is", () => {
    make(keepLatest);
    append(3, undefined, record(0, "k", "v"), record(1, "x", "old"), record(2, "x", "new"));
    fixture.settle();

    expect(fixture.index.forget("t", info(2))).toBe(true);

    for (const round of [0, 1]) {
      expect([latest(), latest("x"), view()]).toEqual([
        "",
        "new",
        expect.objectContaining({ horizon: 2, tail: undefined }),
      ]);
      if (round === 0) fixture.reopen();
    }
    expect(fixture.index.forget("t", info(2))).toBe(false);
    expect(fixture.index.begin("t", info(3), 0)).toEqual({ from: 3, anew: undefined });
    expect(latest("x")).toBe("");
  });

  test("is served no longer when it was kept beyond its batch, and not kept when it had not been", () => {
    make(keepLatest, 500);
    append(2, undefined, record(0, "k", "kept"), record(1, "x", "kept"));
    fixture.settle();
    fixture.now += 1_000;
    fixture.settle();
    expect(latest()).toBe(keepLatest ? "kept" : "");

    fixture.index.forget("t", info(1));
    fixture.settle();

    expect([latest(), latest("x")]).toEqual(["", keepLatest ? "kept" : ""]);
    expect(fixture.index.facts().partitions[0]?.kept).toBe(keepLatest ? 1 : 0);
  });

  test("leaves the disk: its batch at once, the rest in ten minutes", () => {
    make(keepLatest);
    append(1, undefined, record(0, "secret key", "secret value"));
    fixture.settle();
    append(2, undefined, record(1, "x", "other"));
    fixture.settle();
    expect(files().join()).toContain("secret value");

    fixture.index.forget("t", info(1));
    for (let ticks = 0; ticks < 4; ticks++) fixture.settle();
    fixture.now += 10 * 60_000;
    fixture.settle();

    expect(files().join()).not.toContain("secret value");
    expect(latest("x")).toBe("other");
  });
});

test("[R9] a value that a tombstone follows leaves the disk when it is too old, and ten minutes later everything", () => {
  make(true, 2_000);
  append(2, undefined, record(0, "k", "secret value"), record(1, "k", null));
  fixture.settle();
  fixture.now += 3_000;
  fixture.settle();
  fixture.now += 10 * 60_000;
  for (let ticks = 0; ticks < 2; ticks++) fixture.settle();

  for (const suffix of ["", "-wal"])
    expect(readFileSync(join(fixture.directory, `index.db${suffix}`)).includes("secret value")).toBe(false);
  expect(fixture.index.latest("t", bytes("k")).record).toMatchObject({ offset: 1, value: null });
});
