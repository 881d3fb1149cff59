import { expect, test } from "vitest";
import type { Result, StageSettings } from "./bench.ts";
import { exceeded, findLimit, sentence } from "./limit.ts";
import { resultAt } from "./sample-result.ts";

const STAGE: StageSettings = { rate: 4, warmUpSeconds: 1, seconds: 1 };
const BOUNDS = { p99Ms: 100, cpuPercent: 75 };

const find = (stage: (settings: StageSettings) => Result) =>
  findLimit({ stage: async (settings) => stage(settings) }, { ...BOUNDS, stage: STAGE, step: () => {} });

test("the limit is the last step within the bounds", async () => {
  const limit = await find(({ rate }) => resultAt(rate));

  expect(limit.good?.latency.p99).toBeGreaterThan(80);
  expect(limit.good?.latency.p99).toBeLessThanOrEqual(100);
  expect(limit.why).toBe("p99 is above 100 ms");
});

test("a step that fails once is tried again, and one that fails twice ends it", async () => {
  let runs = 0;
  const limit = await find(({ rate }) => {
    runs++;
    return resultAt(rate, runs === 2 ? { lost: 1 } : {});
  });

  expect(limit.good?.latency.p99).toBeGreaterThan(80);
  expect(limit.steps.length).toBe(runs);
});

test("a system that is too slow from the start has no limit, and that is said", async () => {
  const limit = await find(() => resultAt(1_000));

  expect(limit.good).toBeUndefined();
  expect(sentence(limit)).toBe("No step kept within the bounds: p99 is above 100 ms.");
});

test("each bound is told by its name", () => {
  const of = (changes: Partial<Result>) => exceeded(resultAt(4, changes), BOUNDS);

  expect(of({})).toBeUndefined();
  expect(of({ duplicated: 2 })).toBe("0 updates were lost and 2 came twice");
  expect(of({ cpu: { edge: 76 } })).toBe("the edge uses more than 75% of a core");
  expect(of({ cpu: { origin: 76 } })).toBe("the origin uses more than 75% of a core");
  expect(of({ cpu: { kafka: 150 } })).toBeUndefined();
  expect(of({ cpu: { publisher: 91 } })).toBe("the publisher is busy: not the system's limit");
  expect(of({ cpu: { clients: 181 } })).toBe("the clients are busy: not the system's limit");
});
