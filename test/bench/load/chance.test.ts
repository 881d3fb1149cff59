import { describe, expect, test } from "vitest";
import { assign, seeded } from "./chance.ts";

const counts = (assignment: readonly number[], endpoints: number) => {
  const each = Array.from({ length: endpoints }, () => 0);
  for (const endpoint of assignment) each[endpoint] = (each[endpoint] ?? Number.NaN) + 1;
  return each;
};

describe("clients are spread", () => {
  test("the same way for the same seed", () => {
    expect(assign("uniform", 100, 50, seeded(3))).toEqual(assign("uniform", 100, 50, seeded(3)));
    expect(assign("uniform", 100, 50, seeded(3))).not.toEqual(assign("uniform", 100, 50, seeded(4)));
  });

  test("even: up to one", () => {
    expect(counts(assign("even", 25, 10, seeded(1)), 10)).toEqual([3, 3, 3, 3, 3, 2, 2, 2, 2, 2]);
  });

  test("uniform: each endpoint as likely as another", () => {
    const each = counts(assign("uniform", 100_000, 10, seeded(1)), 10);

    for (const count of each) expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.05);
  });

  test("zipf: the endpoint of rank r 1/r as often as the first", () => {
    const each = counts(assign("zipf", 200_000, 100, seeded(1)), 100);
    const [first = 0] = each;

    for (const rank of [2, 3, 10])
      expect(Math.abs((rank * (each[rank - 1] ?? 0)) / first - 1)).toBeLessThan(0.1);
    expect(each.reduce((sum, count) => sum + count, 0)).toBe(200_000);
  });
});
