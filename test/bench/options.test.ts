import { expect, test } from "vitest";
import { readSettings } from "../../origin/settings.ts";
import { command, readBench } from "./options.ts";
import { SWEEP_NAMES, SWEEPS } from "./sweeps.ts";

function read(...args: string[]) {
  const given = readSettings(command, {}, args);
  if (given.kind !== "given") throw new Error(JSON.stringify(given));
  return readBench(given.values, given.switches["json-payload"]);
}

const wanted = (...args: string[]) => {
  const result = read(...args);
  if (!result.ok) throw new Error(result.problems.join());
  return result.wanted;
};

test("without flags: 1,000 clients of 100 endpoints, updated once a second, on a Kafka of one broker", () => {
  expect(wanted()).toMatchObject({
    bench: { system: "distributary", endpoints: 100, clients: 1_000, payload: 512, json: false },
    stage: { rate: 1 },
    brokers: 1,
    sweep: undefined,
  });
});

test("Kafka is started only where something reads it", () => {
  expect(wanted("--brokers", "3").brokers).toBe(3);
  expect(wanted("--source", "embedded").brokers).toBeUndefined();
  expect(wanted("--system", "floor-feeds").brokers).toBeUndefined();
  expect(wanted("--system", "floor-uplink").brokers).toBe(1);
  expect(wanted("--system", "floor-kafka").brokers).toBe(1);
});

test("everything that is wrong is said at once, by its name", () => {
  const result = read(
    "--clients",
    "0",
    "--rate=-1",
    "--payload",
    "20",
    "--json-payload",
    "--sweep",
    "moon",
    "--source",
    "tape",
  );

  expect(result.ok ? [] : result.problems).toEqual([
    "SOURCE must be one of kafka, embedded, not tape",
    "CLIENTS must be a whole number, 1 or more, not 0",
    "PAYLOAD must be a whole number, 64 or more, not 20",
    "RATE must be a number above 0, not -1",
    "SWEEP must be one of payload, subscribers, endpoints, partitions, not moon",
  ]);
  expect(read("--system", "floor-kafka", "--source", "embedded").ok).toBe(false);
});

test("each sweep changes what it is named for, and keeps the load in bounds", () => {
  const { bench, stage } = wanted("--rate", "20");
  for (const name of SWEEP_NAMES) {
    const points = SWEEPS[name]({ bench, stage });
    const of = points.map(
      ({ bench: { payload, partitions, endpoints, clients } }) =>
        ({ payload, partitions, endpoints, subscribers: clients / endpoints })[name],
    );
    expect(of).toEqual([...new Set(of)].sort((a, b) => a - b));
    for (const { bench, stage } of points) {
      expect(bench.clients * stage.rate * bench.payload).toBeLessThanOrEqual(40e6 + 1);
      expect(stage.rate).toBeGreaterThan(0);
    }
  }
});
