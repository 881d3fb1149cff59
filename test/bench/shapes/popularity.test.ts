import { expect, test } from "vitest";
import { popularityOf, REGIONS, watchedBy } from "./popularity.ts";

test("all shares add up to 1, however many endpoints there are", () => {
  for (const endpoints of [1, 2, 250, 10_000, 1e12])
    for (const popularity of ["even", "zipf"] as const) {
      const groups = popularityOf(endpoints, popularity);
      expect(groups.reduce((sum, group) => sum + group.endpoints, 0)).toBeCloseTo(endpoints, 3);
      expect(groups.reduce((sum, group) => sum + group.endpoints * group.share, 0)).toBeCloseTo(1, 6);
    }
});

test("by Zipf's law the first of 10,000 has a tenth of all, the second half of that, and so on to the last", () => {
  const groups = popularityOf(10_000, "zipf");
  const harmonic = Array.from({ length: 10_000 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
  expect(groups[0]?.share).toBeCloseTo(1 / harmonic, 4);
  expect((groups[0]?.share ?? 0) / (groups[1]?.share ?? 1)).toBeCloseTo(2, 9);
  expect((groups.at(-1)?.share ?? 0) * harmonic * 10_000).toBeCloseTo(1, 1);
});

test("an object watches what one of its connections wants: all of few endpoints, and a part of many", () => {
  const even = popularityOf(1_000, "even");
  expect(watchedBy(1, even)).toBeCloseTo(1, 2);
  expect(watchedBy(1_000, even)).toBeCloseTo(1_000 * (1 - Math.exp(-1)), 1);
  expect(watchedBy(100_000, even)).toBeCloseTo(1_000, 6);
  expect(watchedBy(1_000, popularityOf(1_000, "zipf"))).toBeLessThan(watchedBy(1_000, even));
});

test("the regions are all people", () => {
  expect(Object.values(REGIONS).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
});
