import { expect, test } from "vitest";
import { Bucket } from "../../../edge/access/rate.ts";

test("a burst passes, then so many in a second, and it is said when the next one may", () => {
  const bucket = new Bucket({ perSecond: 4, burst: 3 });
  expect([0, 0, 0, 0].map(() => bucket.take(0))).toEqual([0, 0, 0, 250]);
  expect(bucket.take(249)).toBe(1);
  expect(bucket.take(250)).toBe(0);
  expect(bucket.take(250)).toBe(250);
});

test("one that asked too often has lost nothing when it may again", () => {
  const bucket = new Bucket({ perSecond: 1, burst: 1 });
  bucket.take(0);
  for (let now = 10; now < 1_000; now += 10) expect(bucket.take(now)).toBeGreaterThan(0);
  expect(bucket.take(1_000)).toBe(0);
});

test("rest fills it to the brim and no further", () => {
  const bucket = new Bucket({ perSecond: 1, burst: 2 });
  expect([bucket.take(1e9), bucket.take(1e9), bucket.take(1e9)]).toEqual([0, 0, 1_000]);
});

test("what has passed is counted though it might not, and the next one waits for it", () => {
  const bucket = new Bucket({ perSecond: 10, burst: 5 });
  bucket.spend(0, 5);
  expect([bucket.waitMs(0), bucket.waitMs(0)]).toEqual([100, 100]);
  bucket.spend(0, 20);
  expect(bucket.waitMs(0)).toBe(2_100);
  expect(bucket.waitMs(2_100)).toBe(0);
});
