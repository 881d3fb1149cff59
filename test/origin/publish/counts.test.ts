import { beforeEach, expect, test } from "vitest";
import { Counts } from "../../../origin/publish/counts.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { range } from "../../support/contract-records.ts";

const KEPT_MS = 1_000;
const KEYS = range(0, 50).map((i) => Buffer.from(`key ${i}`));

let counts: Counts;

beforeEach(() => {
  counts = new Counts(3, 0, KEPT_MS);
});

test("a key may have been published to any partition, until that is long ago", () => {
  for (const key of KEYS) {
    const own = partitionOf(key, 3);
    expect(counts.othersOf(key, KEPT_MS - 1)).toEqual([0, 1, 2].filter((partition) => partition !== own));
    expect(counts.othersOf(key, KEPT_MS)).toEqual([]);
  }
});

test("if somebody has watched the topic for so long, a key is nowhere else", () => {
  counts.settle();

  expect([counts.isSettled(0), counts.othersOf(Buffer.from("key"), 0)]).toEqual([true, []]);
});

test("after it has grown, a key may be where any count since had it, for as long as the same may come again", () => {
  counts.settle();
  counts.grow(5, 100);
  counts.grow(8, 600);

  const of = (key: Buffer, ...all: number[]) => {
    const others = new Set(all.map((count) => partitionOf(key, count)));
    others.delete(partitionOf(key, 8));
    return [...others];
  };
  for (const key of KEYS) {
    expect(counts.partitionOf(key)).toBe(partitionOf(key, 8));
    expect(counts.othersOf(key, 100 + KEPT_MS - 1)).toEqual(of(key, 3, 4, 5, 6, 7));
  }
  for (const key of KEYS) expect(counts.othersOf(key, 600 + KEPT_MS - 1)).toEqual(of(key, 5, 6, 7));
  for (const key of KEYS) expect(counts.othersOf(key, 600 + KEPT_MS)).toEqual([]);
});

test("what isn't known of before stays unknown when it grows", () => {
  counts.grow(4, 100);

  expect(counts.othersOf(Buffer.from("key"), 900)).toHaveLength(3);
  expect(counts.othersOf(Buffer.from("key"), KEPT_MS).length).toBeLessThanOrEqual(1);
});
