import { expect, test } from "vitest";
import type { Latency } from "../bench/histogram.ts";
import type { Attacked, HostileResults, Stretch } from "./hostile-run.ts";
import { renewed } from "./readme.ts";
import { failures, judge, table, unserved } from "./report.ts";

const latency = (p50: number, p99: number): Latency => ({
  ...{ count: 100, mean: p50, sd: 0, p50, p75: p50, p95: p99, p99, p999: p99, max: p99 },
});

function stretch(p99: number, originMs: number, edgeMs: number, megabytes = 0): Stretch {
  const waits = latency(2, p99);
  return {
    cost: { seconds: 10, originMs, edgeMs, megabytes, descriptors: 0 },
    waited: { updates: waits, gets: waits, resumes: waits, failed: [] },
  };
}

const tally = { requests: 100, refused: 1, held: 0, harm: [] };

function attacked(more: Partial<Attacked> = {}): Attacked {
  const { cost, waited } = stretch(10, 1_000, 2_000);
  const quiet = stretch(8, 1_000, 2_000);
  return { name: "deep-value", row: 4, by: "a stranger", tally, cost, waited, quiet, ...more };
}

const results = (...all: readonly Attacked[]): HostileResults => ({
  seconds: 10,
  attacked: all,
  records: 1,
  closes: new Map(),
  wrong: [],
});

test("a request costs what the processes needed beyond what they need in quiet", () => {
  const { cost } = stretch(10, 2_000, 2_800);

  expect(judge(attacked({ cost })).cpuMs).toEqual({ origin: 10, edge: 8 });
});

test("what two quiet stretches may differ by is no attack's", () => {
  const { cost } = stretch(10, 1_100, 1_900, 20);

  expect(judge(attacked({ cost, tally: { ...tally, held: 5 } }))).toEqual({
    cpuMs: { origin: 0, edge: 0 },
    noiseMs: 5,
    megabytesHeld: 0,
    missed: [],
  });
});

test("each aim that is missed is named", () => {
  const { cost, waited } = stretch(25, 1_000, 2_600, 60);
  const one = attacked({ cost, waited, tally: { ...tally, held: 30 } });

  expect(judge(one).missed).toEqual(["CPU", "memory", "updates", "GETs", "resumes"]);
  // What a request may cost is said of strangers.
  expect(judge({ ...one, by: "the holder of a key" }).missed).toEqual(["updates", "GETs", "resumes"]);
});

test("the table has a row for each attack, and one below it for what it did before", () => {
  const { cost } = stretch(10, 1_000, 2_600);
  const rows = table(results(attacked()), results(attacked({ cost }))).split("\n");

  expect(rows.slice(2)).toEqual([
    "| deep-value | 4 | 100 | 1 | <5.0 + <5.0 | +0 | +0 | 2.0 / 8.0 → 2.0 / 10 | 2.0 / 8.0 → 2.0 / 10 | 2.0 / 8.0 → 2.0 / 10 | 0 | none |",
    "| *before* |  | 100 | 1 | <5.0 + 6.0 | +0 | +0 | 2.0 / 8.0 → 2.0 / 10 | 2.0 / 8.0 → 2.0 / 10 | 2.0 / 8.0 → 2.0 / 10 | 0 | CPU |",
  ]);
  const never = attacked({ tally: { ...tally, requests: 0 } });
  expect(table(results(attacked()), results(never))).not.toContain("before");
});

test("a run fails by what honest clients missed, and by what nobody may do, and not by waits", () => {
  const slow = attacked({ waited: stretch(1_000, 0, 0).waited });
  const harmful = attacked({ tally: { ...tally, harm: ["it was read"] } });

  expect(failures(results(slow))).toEqual([]);
  expect(failures({ ...results(harmful), wrong: ["a record was lost"] })).toEqual([
    "a record was lost",
    "deep-value: it was read",
  ]);
});

test("what wasn't served is counted by its kind", () => {
  const { waited } = stretch(10, 0, 0);
  const one = attacked({ waited: { ...waited, failed: ["GET 503", "probe 500", "GET 503"] } });

  expect(unserved(results(one, attacked()))).toEqual(["deep-value: 2 × GET 503, 1 × probe 500"]);
});

test("the document gets the table, and the line that says when it was", () => {
  const part = (name: string) =>
    `a\n\nLast attacked on ${name}: never.\n\n| Attack | Row |\n|---|--:|\n| old | 1 |\n\nb\n`;
  const when = { runtime: "node", date: "2026-11-26", commit: "abc", seconds: 30 } as const;

  expect(renewed(part("workerd") + part("Node"), "| Attack | Row | new |\n|---|", when)).toBe(
    `${part("workerd")}a\n\nLast attacked on Node: 2026-11-26, commit abc, 30 s each.\n\n| Attack | Row | new |\n|---|\n\nb\n`,
  );
  expect(() => renewed("nothing", "", when)).toThrow("no line");
});
