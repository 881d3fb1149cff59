/** The short form of `npm run test:fault`: each kind of fault that doesn't take long, once or a few times. */
import { expect, test } from "vitest";
import { describeWithKafka } from "../support/with-kafka.ts";
import { faultRun } from "./fault-run.ts";
import { KINDS } from "./kinds/kinds.ts";
import { publishTable } from "./publishing/publish-report.ts";
import { failures, table } from "./report.ts";

const SEED = 20_261_121;
const LONG = [
  "SIGSTOP of an origin past every deadline",
  "SIGSTOP of the active origin of 1 of 2 slices",
  "the same, while the origins before hang",
  "restart of a broker",
  "broker added, another drained and removed, and back",
  "compaction while all origins are off",
  "compaction while the origin is off that then takes over",
  "compaction while origins are cut off from Kafka",
  "origins throttled by a quota",
  "origins throttled and cut off while the others are killed",
  "origin–Kafka slow with a backlog",
  "transaction open until committed or aborted or timed out",
  "index full of others and resumed from before",
];

describeWithKafka("under faults:", () => {
  test(`[P5] [P6] [S10] [U13] [W3] [W5] every subscriber sees every update once and in order, every publish is one record where it was acknowledged, and nothing stays behind (seed ${SEED})`, async () => {
    const results = await faultRun({
      seed: SEED,
      seconds: 20,
      alone: 0,
      kinds: KINDS.map(({ name }) => name).filter((name) => !LONG.includes(name)),
      runtimes: ["workerd", "node"],
      brokers: 1,
      origins: 2,
      connections: { count: 3, each: 20, over: 400 },
      say: () => {},
      verbose: false,
    });
    console.info(`${table(results)}\n\n${publishTable(results)}`);
    expect(failures(results)).toEqual([]);
  }, 600_000);
});
