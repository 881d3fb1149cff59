import fc from "fast-check";
import { expect, test } from "vitest";
import { Latencies } from "./histogram.ts";

function latencies(us: readonly number[]): Latencies {
  const all = new Latencies();
  for (const one of us) all.record(one);
  return all;
}

test("a summary is in milliseconds", () => {
  const us = Array.from({ length: 1_000 }, (_, i) => (i + 1) * 1_000);

  const { count, mean, p50, p75, p95, p99, p999, max } = latencies(us).summary();

  expect(count).toBe(1_000);
  for (const [found, exact] of [
    [mean, 500.5],
    [p50, 500],
    [p75, 750],
    [p95, 950],
    [p99, 990],
    [p999, 999],
    [max, 1_000],
  ] as const)
    expect(Math.abs(found / exact - 1)).toBeLessThan(0.002);
});

test("merged histograms of several processes are the histogram of them all, to three digits", () => {
  const processes = fc.array(fc.array(fc.integer({ min: 1, max: 600_000_000 }), { maxLength: 50 }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(processes, (all) => {
      const merged = new Latencies();
      for (const us of all) merged.add(latencies(us).encode());

      const { count, ...exact } = latencies(all.flat()).summary();
      const { count: mergedCount, ...found } = merged.summary();
      expect(mergedCount).toBe(count);
      for (const [name, value] of Object.entries(exact))
        expect(Math.abs(found[name as keyof typeof found] - value)).toBeLessThanOrEqual(0.002 * value);
    }),
  );
});

test("what took longer than can be counted counts as the longest, and less than nothing as a microsecond", () => {
  const { count, max, p50 } = latencies([Number.MAX_SAFE_INTEGER, -3]).summary();

  expect(count).toBe(2);
  expect(max).toBeGreaterThan(599_000);
  expect(p50).toBe(0.001);
});
