/** The scenarios on a stand-in for a log on object storage, and what their reports say. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Kafscale } from "../../support/kafscale.ts";
import { ifLong } from "../../support/long.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";
import { type Log, play } from "./play.ts";
import { consume, described } from "./reading.ts";
import { runScenarios } from "./run.ts";
import { healthIn } from "./s3-health.ts";
import { type Played, partsOf, SCENARIO_NAMES, type ScenarioName, template } from "./scenarios.ts";

const LOAD = { partitions: 2, bytes: 256, records: 120 };
const FIELDS = [
  "Scenario",
  "Topic/Partitions",
  "Message Size",
  "Producer Acks",
  "Produce Throughput",
  "Consume Throughput",
  "Latency p95/p99",
  "S3 Health",
  "Notes",
];

let kafscale: Kafscale;
let log: Log;
let restarts = 0;

beforeAll(async () => {
  kafscale = await Kafscale.start();
  const topics = new Set<string>();
  log = {
    brokers: [kafscale.broker],
    async topic(name, partitions) {
      if (!topics.has(name)) kafscale.createTopic(name, partitions);
      topics.add(name);
    },
    async restart() {
      restarts++;
    },
  };
});
afterAll(() => kafscale.stop());

const playAll = async (scenario: ScenarioName) => {
  const played: Played[] = [];
  for (const part of partsOf(scenario, LOAD)) played.push(await play(log, part));
  return played;
};

test.each(SCENARIO_NAMES)("%s is played, and each record comes once and in order", async (scenario) => {
  const played = await playAll(scenario);

  for (const one of played) {
    const { part, wrong, read } = one;
    const readBy = scenario === "recovery" ? part.records / 2 : part.records * part.consumers;
    expect({ scenario, wrong, read }).toEqual({ scenario, wrong: 0, read: readBy });
    const lines = template(one, "fine").split("\n");
    expect(lines.map((line) => /^- \*\*(.+?)\*\*: \S/.exec(line)?.[1])).toEqual(FIELDS);
    expect(lines.at(-1)).toContain("each came once and in order");
  }
  expect(kafscale.strangers).toEqual([]);
});

for (const names of ifLong<readonly ScenarioName[]>(SCENARIO_NAMES))
  describeWithKafka("a Kafka of the bench's own", () => {
    test("plays them all, and restarts between", { timeout: 300_000 }, async () => {
      const reports: string[] = [];
      const wanted = { names, load: LOAD, brokers: undefined, metricsUrl: undefined };

      expect(
        await runScenarios(
          wanted,
          () => {},
          (report) => reports.push(report),
        ),
      ).toBe(true);

      expect(reports).toHaveLength(names.flatMap((name) => partsOf(name, LOAD)).length);
      expect(reports.join("\n")).toMatch(/restarted in [\d.]+ s/);
    });
  });

test("sizes, partitions and consumers are those that are published", () => {
  expect(partsOf("sizes", LOAD).map(({ bytes }) => bytes)).toEqual([1_024, 10_240, 102_400]);
  expect(partsOf("partitions", LOAD).map(({ partitions }) => partitions)).toEqual([1, 3, 6, 12]);
  expect(partsOf("consumers", LOAD).map(({ consumers }) => consumers)).toEqual([3]);
});

test("a log with records of an earlier run is played on from its end, and restarted where it can be", async () => {
  const before = restarts;
  await playAll("cold");
  const [again] = await playAll("cold");

  expect(again).toMatchObject({ wrong: 0, read: LOAD.records });
  expect(restarts).toBe(before + 2);
  const [other] = partsOf("cold", LOAD);
  const { restart: _, ...others } = log;
  expect((await play(others, other ?? expect.fail())).notes).toEqual([
    "not restarted: this log isn't the bench's own",
  ]);
});

test("a record that doesn't come is told of", async () => {
  const [part] = partsOf("backlog", LOAD);
  if (part === undefined) expect.fail();
  const played = await play(log, part);
  const infos = await described(log.brokers, part.topic);
  const count = part.records / part.partitions;
  const spans = infos.map(({ partition, epoch, endOffset }) => ({
    partition,
    epoch,
    from: endOffset - count + 1,
    first: 0,
    count,
  }));

  const { wrong } = await consume(log.brokers, part.topic, spans);

  expect(wrong).toBe(part.partitions);
  expect(template({ ...played, wrong }, "fine")).toContain("WRONG: 2 didn't come, or not once and in order");
});

test("the health of S3 is what a log's metrics say of it", () => {
  const metrics = '# HELP x\nkafscale_s3_latency_ms_avg 12.5\nkafscale_s3_error_rate{op="get"} 0\nother 1\n';

  expect(healthIn(metrics)).toBe("latency_ms_avg 12.5, error_rate (get) 0");
  expect(healthIn("other 1\n")).toBe("its metrics tell nothing of S3");
});
