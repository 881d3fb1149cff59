import { expect, test } from "vitest";
import { resultAt } from "../sample-result.ts";
import { median, memoryTable, shapesTable, slope, takenIn } from "./figures.ts";

const turn = (edge: number, origin: number, redialsPerSecond = 1_000) => ({
  result: resultAt(edge, { cpuPerDelivery: { edge, origin } }),
  redialsPerSecond,
});

test("the middle of turns counts for each figure by itself, and for edge and origin together", () => {
  const { edge, origin, both, p99, turns } = takenIn([turn(10, 9), turn(20, 1), turn(30, 2)]);

  expect({ edge, origin, both, p99, turns }).toEqual({ edge: 20, origin: 2, both: 21, p99: 20, turns: 3 });
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

test("what holds everything in one process has no origin, and its figure is that of both", () => {
  const one = { result: resultAt(1, { cpuPerDelivery: { server: 25 } }), redialsPerSecond: 4_000 };
  const shape = { clients: 3_000, endpoints: 100, rate: 2 };

  const text = shapesTable([{ shape, taken: { centrifugo: takenIn([one]), node: takenIn([turn(10, 9)]) } }]);

  expect(text.split("\n").slice(2)).toEqual([
    "| 3,000 × 100 × 2 | Distributary on Node | 10.0 | 9.00 | 19.0 | 1.00 | 10.0 | 0.0 | 1 | 1,000 | 40 |",
    "| 3,000 × 100 × 2 | Centrifugo | 25.0 |  | 25.0 | 1.00 | 1.00 | 0.0 | 1 | 4,000 | 40 |",
  ]);
});

test("memory of a connection is what further ones took, and what the server took anyway isn't in it", () => {
  const few = { clients: 5_000, bytes: 50e6 + 5_000 * 8_192 };
  const many = { clients: 15_000, bytes: 50e6 + 15_000 * 8_192 };

  expect(slope(few, many)).toBe(8_192);
  expect(memoryTable({ node: [few, many] })).toContain("| Distributary on Node | 5,000 to 15,000 | 8.0 |");
});
