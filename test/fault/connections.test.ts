/** A thousand connections of fifty endpoints each, under every kind of fault: only in `npm run test:long`. */
import { expect, test } from "vitest";
import { figure } from "../support/long.ts";
import { describeWithKafka } from "../support/with-kafka.ts";
import { faultRun } from "./fault-run.ts";
import { tookPlace } from "./injected.ts";
import { KINDS } from "./kinds/kinds.ts";
import { failures, table } from "./report.ts";

const SEED = 20_261_127;
const CONNECTIONS = { count: 1_000, each: 50, over: 2_000 };
const SECONDS = 360;

describeWithKafka("many endpoints under faults:", () => {
  test(`[M3] [M4] [M5] [M11] [L12] [L14] ${CONNECTIONS.count} connections of ${CONNECTIONS.each} endpoints over ${CONNECTIONS.over} see every update once and in order, and leave nothing behind (seed ${SEED})`, async () => {
    const lines: string[] = [];
    const results = await faultRun({
      seed: SEED,
      seconds: SECONDS,
      alone: 0,
      kinds: KINDS.map(({ name }) => name),
      runtimes: ["workerd", "node"],
      brokers: 3,
      origins: 2,
      connections: CONNECTIONS,
      say: (line) => lines.push(line),
      verbose: false,
    });
    console.info([...lines, table(results), ...results.leftovers].join("\n"));

    expect(failures(results)).toEqual([]);
    const due = results.findings.reduce((sum, one) => sum + one.due, 0);
    figure(
      `${results.findings.length} subscriptions, most on ${CONNECTIONS.count} connections, during ${results.injected.filter(tookPlace).length} faults: ${due} deliveries, none lost, doubled or out of order`,
    );
  }, 1_800_000);
});
