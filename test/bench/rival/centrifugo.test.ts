/** The real Centrifugo between a real Kafka and the bench's clients, if CENTRIFUGO names its program. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench } from "../bench.ts";
import { startKafka } from "../kafka.ts";
import { BASE } from "../suite/context.ts";
import { centrifugoConfig, centrifugoProgram, NoCentrifugo } from "./centrifugo.ts";

test("without its program it says what is missing, and how it is built", () => {
  expect(() => centrifugoProgram({})).toThrow(NoCentrifugo);
  expect(() => centrifugoProgram({})).toThrow(/^CENTRIFUGO is missing.*go install github.com/);
  expect(() => centrifugoProgram({ CENTRIFUGO: "/nowhere/centrifugo" })).toThrow(
    "/nowhere/centrifugo can't be run",
  );
  expect(centrifugoProgram({ CENTRIFUGO: process.execPath })).toBe(process.execPath);
});

test("the topic is the namespace of its keys' channels, and has a history", () => {
  const config = centrifugoConfig({ topic: "bench-1-1", brokers: ["127.0.0.1:9092"], group: "g", port: 1 });

  expect(config.channel.namespaces).toMatchObject([
    { name: "bench-1-1", history_size: 100, force_recovery: true },
  ]);
  expect(config.consumers).toMatchObject([
    { type: "kafka", kafka: { topics: ["bench-1-1"], publication_data_mode: { enabled: true } } },
  ]);
});

const missing = process.env.CENTRIFUGO ? "" : " (skipped: CENTRIFUGO doesn't name its program)";

describe.skipIf(missing !== "")(`Centrifugo${missing}`, () => {
  const started: { stop(): Promise<void> }[] = [];
  let bench: Bench;

  beforeAll(async () => {
    const kafka = await startKafka();
    started.push(kafka);
    const load = { endpoints: 10, clients: 60, popularity: "even", json: true } as const;
    bench = await Bench.start({ ...BASE, ...load, system: "centrifugo" }, kafka, () => {});
    started.push(bench);
  });

  afterAll(async () => {
    for (const one of started.toReversed()) await one.stop();
  });

  test("every update that is due is measured, none is lost and none comes twice, also after all were cut and came back", async () => {
    const stage = { rate: 10, warmUpSeconds: 0.3, seconds: 1 };

    const first = await bench.stage(stage);
    const redials = await bench.redial();
    const second = await bench.stage(stage);

    for (const result of [first, second])
      expect(result).toMatchObject({
        clients: 60,
        lost: 0,
        duplicated: 0,
        violations: 0,
        closes: 0,
        failed: 0,
      });
    expect(second.latency.count).toBe(600);
    expect(redials).toBeGreaterThan(0);
    expect(first.cpu.server).toBeGreaterThan(0);
    expect(first.bytesPerConnection).toBeGreaterThan(0);
  });

  test("clients that are cut while updates flow are sent what they missed", async () => {
    const { recovered, lost } = await bench.storm(10, 1.5);

    expect({ recovered, lost }).toEqual({ recovered: 60, lost: 0 });
  });
});
