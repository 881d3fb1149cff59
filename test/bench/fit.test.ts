import { expect, test } from "vitest";
import { fitCost } from "./fit.ts";

const sample = (updates: number, deliveries: number, cost = 120 * updates + 26 * deliveries) => ({
  updates,
  deliveries,
  cost,
});

test("costs that lie on a line are found exactly", () => {
  const fit = fitCost([sample(1_000, 1_000), sample(100, 5_000), sample(10, 9_000)]);

  expect(fit?.a).toBeCloseTo(120, 6);
  expect(fit?.b).toBeCloseTo(26, 6);
  expect(fit?.worst).toBeCloseTo(0, 6);
});

test("a sample off the line shows as the worst deviation, as a share of it", () => {
  const exact = [sample(1_000, 1_000), sample(100, 5_000), sample(10, 9_000)];
  const doubled = sample(500, 500, 2 * (120 * 500 + 26 * 500));

  const fit = fitCost([...exact, ...exact, ...exact, ...exact, doubled]);

  expect(fit?.worst).toBeGreaterThan(0.3);
  expect(fit?.worst).toBeLessThan(0.5);
});

test("a small load counts as much as a large one", () => {
  const small = sample(1, 100, 2 * 26 * 100);
  const large = sample(1, 100_000, 26 * 100_000);
  const updates = sample(1_000, 0.001, 1_000);

  const { b = 0 } = fitCost([small, large, updates]) ?? {};

  // By absolute deviations the small one would vanish, and b would be 26.
  expect(b).toBeGreaterThan(30);
  expect(b).toBeLessThan(40);
});

test.each([
  ["none", []],
  ["one", [sample(10, 100)]],
  ["many with equally many deliveries for each update", [sample(10, 100), sample(20, 200), sample(35, 350)]],
])("samples that can't tell updates from deliveries give no fit: %s", (_, samples) => {
  expect(fitCost(samples)).toBeUndefined();
});
