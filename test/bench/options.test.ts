import { expect, test } from "vitest";
import { readSettings } from "../../shared/node/settings.ts";
import { command, readBench } from "./options.ts";
import { SWEEP_NAMES, SWEEPS } from "./sweeps.ts";

function read(...args: string[]) {
  const given = readSettings(command, {}, args);
  if (given.kind !== "given") throw new Error(JSON.stringify(given));
  return readBench(given.values, given.switches);
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
    "--source must be one of kafka, embedded, not tape",
    "--clients must be a whole number from 1 to 1000000, not 0",
    "--payload must be a whole number from 64 to 4194304, not 20",
    "--rate must be a number above 0, not -1",
    "--sweep must be one of payload, subscribers, endpoints, partitions, origins, not moon",
  ]);
  expect(read("--system", "floor-kafka", "--source", "embedded").ok).toBe(false);
});

test.each([
  [["--endpoints", "1e9"], "--endpoints must be a whole number from 1 to 1000000, not 1e9"],
  [["--origins", "7"], "--origins 7 can't share --partitions 6: some would read nothing"],
  [["--origins", "2", "--system", "floor-kafka"], "--origins: floor-kafka has none"],
  [["--brokers", "3", "--source", "embedded"], "--brokers 3: the embedded log has none"],
  [["--runtime", "node", "--system", "floor-kafka"], "--runtime node: floor-kafka has another edge"],
  [["--workers", "2"], "--workers: several need --runtime node"],
  [
    ["--system", "centrifugo", "--source", "embedded", "--json-payload"],
    "--source embedded: centrifugo needs Kafka",
  ],
  [
    ["--system", "centrifugo"],
    "--system centrifugo: its JSON protocol carries JSON only: add --json-payload",
  ],
  [["--find-limit", "--sweep", "payload"], "--find-limit and --sweep exclude each other"],
  [
    ["--endpoints", "5000", "--rate", "100"],
    "--endpoints × --rate is 500,000 updates/s of 512 bytes: more than one publisher can write",
  ],
])("%j is refused", (args, problem) => {
  const result = read(...args);

  expect(result.ok ? [] : result.problems).toEqual([problem]);
});

test("a run may be as long as those that others publish", () => {
  const { stage } = wanted("--duration", "1800", "--warm-up", "300");

  expect(stage).toEqual({ rate: 1, seconds: 1_800, warmUpSeconds: 300 });
});

test("each sweep changes what it is named for, and keeps the load in bounds", () => {
  const { bench, stage } = wanted("--rate", "20");
  for (const name of SWEEP_NAMES) {
    const points = SWEEPS[name]({ bench, stage });
    const of = points.map(
      ({ bench: { payload, partitions, origins, endpoints, clients } }) =>
        ({ payload, partitions, origins, endpoints, subscribers: clients / endpoints })[name],
    );
    expect(of).toEqual([...new Set(of)].sort((a, b) => a - b));
    for (const { bench, stage } of points) {
      expect(bench.clients * stage.rate * bench.payload).toBeLessThanOrEqual(40e6 + 1);
      expect(stage.rate).toBeGreaterThan(0);
    }
  }
});
