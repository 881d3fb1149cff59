import { describe, expect, it } from "vitest";
import { costRatios, ratio } from "./ratios.ts";

const line = (a: number, b: number) =>
  [
    [1, 1000],
    [100, 1000],
    [300, 300],
  ].map(([updates = 0, deliveries = 0]) => ({ updates, deliveries, cost: a * updates + b * deliveries }));

describe("what two things cost beside each other", () => {
  it("is told per update and per delivery", () => {
    const rounds = [1, 2, 3, 4].map((busy) => ({
      now: line(220 * busy, 26 * busy),
      before: line(200 * busy, 20 * busy),
    }));
    const ratios = costRatios(rounds);
    expect(ratios?.a.median).toBeCloseTo(1.1);
    expect(ratios?.b.median).toBeCloseTo(1.3);
  });

  it("is the median of the rounds, with all but the outermost around it", () => {
    expect(ratio([1, 9, 1.1, 0.2, 1.2])).toEqual({ median: 1.1, low: 1, high: 1.2 });
    expect(ratio([1, 4, 2, 3])).toEqual({ median: 2.5, low: 2, high: 3 });
  });

  it("is nothing if the loads can't tell updates from deliveries, or the rounds are too few", () => {
    const same = [{ updates: 1, deliveries: 1, cost: 1 }];
    expect(costRatios([1, 2, 3].map(() => ({ now: same, before: same })))).toBeUndefined();
    expect(ratio([1, 2])).toBeUndefined();
  });
});
