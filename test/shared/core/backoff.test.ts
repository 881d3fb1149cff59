import fc from "fast-check";
import { expect, test } from "vitest";
import { backoff } from "../../../shared/core/backoff.ts";

const bounds = { baseMs: 100, maxMs: 5_000 };

test("[S10] the bound doubles with each attempt up to the longest delay", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7].map((attempt) => backoff(attempt, bounds, 1));

  expect(longest).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test("[S10] delays are spread over everything from none to the bound", () => {
  expect([0, 0.25, 0.5].map((random) => backoff(2, bounds, random))).toEqual([0, 100, 200]);
});

test("however many attempts failed, a delay is a number between 0 and the longest", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.nat(), random, (attempt, r) => {
      const delay = backoff(attempt, bounds, r);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(bounds.maxMs);
    }),
  );
});
