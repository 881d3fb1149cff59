import { expect, test } from "vitest";
import type { Result, StageSettings } from "./bench.ts";
import { exceeded, findLimit, sentence } from "./limit.ts";

const STAGE: StageSettings = { rate: 4, warmUpSeconds: 1, seconds: 1 };
const BOUNDS = { p99Ms: 100, cpuPercent: 75 };

/** What a system of 10 clients would give whose p99 grows with the rate, 1 ms for each update per second. */
function resultAt(rate: number, changes: Partial<Result> = {}): Result {
  const latency = { count: 1, mean: 1, sd: 0, p50: 1, p75: 1, p95: 1, p99: rate, p999: rate, max: rate };
  return {
    settings: {
      ...STAGE,
      rate,
      system: "distributary",
      endpoints: 1,
      clients: 10,
      payload: 512,
      json: false,
      popularity: "even",
      partitions: 1,
      processes: 2,
      lingerMs: 1,
      seed: 1,
      brokers: 1,
    },
    watched: 1,
    clients: 10,
    messagesPerSecond: 10 * rate,
    megabytesPerSecond: 0,
    wireBytes: 0,
    latency,
    updatesPerSecond: rate,
    watchedUpdatesPerSecond: rate,
    cpu: { edge: 10, origin: 10, publisher: 10, clients: 10, machine: 40 },
    cpuPerDelivery: {},
    cpuPerUpdate: {},
    connectsPerSecond: 1,
    bytesPerConnection: 0,
    lost: 0,
    duplicated: 0,
    violations: 0,
    violation: undefined,
    closes: 0,
    close: undefined,
    failed: 0,
    behindMs: 0,
    operations: undefined,
    dollars: undefined,
    ...changes,
  };
}

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
