import { expect, test } from "vitest";
import type { Latency } from "../histogram.ts";
import { figures, median, type PathRound } from "./figures.ts";

const NO_TROUBLE = { transaction: [], leaderless: [] };
const LOADS = { underWay: 500, clients: 64, perSecond: 200, bytes: 200 };
const use = (cpuUs: number) => ({ count: 1_000, cpuUs, wallUs: 100_000 });
const latency = (p50: number): Latency => ({
  ...{ count: 1, mean: p50, sd: 0, p50, p75: p50 },
  ...{ p95: 2 * p50, p99: 3 * p50, p999: 4 * p50, max: 5 * p50 },
});

test("the median of an even number is between the two in the middle", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
});

test("each figure is the median of its rounds, and a ratio that of the rounds' own ratios", () => {
  const alone = [12, 20, 13].map((us, i) => ({
    own: use(1_000 * us),
    floor: use(1_000 * (i === 1 ? 10 : 6)),
    perBatch: 250,
  }));
  expect(figures(alone, [], NO_TROUBLE, [], LOADS)).toContain(
    "| the origin's publishing by itself | 13.0 | 2.00 | 10,000 | 250 |\n| bare idempotent producer | 6.00 | 1 | 10,000 | the same |",
  );
});

test("what was asked over a WebSocket has rows of its own, with the ratio to a producer that was asked, too", () => {
  const alone = { own: use(12_000), floor: use(6_000), perBatch: 250 };
  const asked = {
    own: { ...use(21_000), batches: 10 },
    floor: { ...use(14_000), batches: 20 },
  };
  const text = figures([alone], [asked], NO_TROUBLE, [], LOADS);
  expect(text).toContain("asked over a WebSocket | 21.0 | 1.50 | 10,000 | 100 |");
  expect(text).toContain("asked and answering in the same way | 14.0 | 1 | 10,000 | 50.0 |");
});

test("of the whole path there are costs and latencies for each number of partitions", () => {
  const round: PathRound = {
    perSecond: 3_000,
    edgeUs: 300,
    originUs: 60,
    perBatch: 10,
    floor: use(9_000),
    closed: { acknowledged: latency(20), delivered: latency(25) },
    paced: { acknowledged: latency(4), delivered: latency(5) },
    floorPaced: latency(2),
  };
  const alone = { own: use(12_000), floor: use(6_000), perBatch: 250 };
  const text = figures([alone], [], NO_TROUBLE, [[3, [round]]], LOADS);
  expect(text).toContain("| 3 partitions | 3,000 | 1,000 | 300 | 60.0 | 10.0 | 9.00 |");
  expect(text).toContain("| 3 partitions, 200/s: to the acknowledgement | 4.00 | 8.00 | 12.0 |");
  expect(text).toContain("| the same rate, bare producer | 2.00 | 4.00 | 6.00 |");
});

test("beside another one's trouble there are latencies with it and without", () => {
  const alone = { own: use(12_000), floor: use(6_000), perBatch: 250 };
  const rounds = [1, 3, 2].map((ms) => ({ without: latency(ms), beside: latency(2 * ms) }));
  const leaderless = rounds.map(({ beside }) => ({ without: beside, beside: latency(7) }));
  const text = figures([alone], [], { transaction: rounds, leaderless }, [], LOADS);
  expect(text).toContain("200/s to 2 of 3 partitions | 2.00 | 4.00 | 6.00 |");
  expect(text).toContain("transaction is open on the third | 4.00 | 8.00 | 12.0 |");
  expect(text).toContain("of three brokers, 200/s to 2 of 3 partitions | 4.00 | 8.00 | 12.0 |");
  expect(text).toContain("nobody leads the third | 7.00 | 14.0 | 21.0 |");
});
