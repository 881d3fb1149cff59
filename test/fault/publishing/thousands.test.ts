/** 10,000 publishes while everything that has a part in them is killed, stopped and cut off: only in `npm run test:long`. */
import { expect, test } from "vitest";
import { figure } from "../../support/long.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";
import { faultRun } from "../fault-run.ts";
import { KINDS } from "../kinds/kinds.ts";
import { failures } from "../report.ts";
import { publishTable } from "./publish-report.ts";
import { CLIENTS_PER_PARTITION } from "./publishers.ts";

const SEED = 20_261_126;
const PARTITIONS = 3;
const CLIENTS = CLIENTS_PER_PARTITION * PARTITIONS;
/** Rounded up to the same for each client. */
const EACH = Math.ceil(10_000 / CLIENTS);
const SECONDS = 180;

/** Those that befall a publish on its way to the log, or its answer on the way back. */
const ON_THE_WAY = [
  "kill -9 of an origin",
  "kill -9 of all origins",
  "kill -9 of the edge",
  "crash of a shard",
  "client–edge cut",
  "origin–edge cut",
  "origin–Kafka cut",
  "origin–Kafka answers lost, then cut",
  "SIGSTOP of an origin past every deadline",
  "SIGSTOP of the active origin of 1 of 2 slices",
  "kill -9 of a broker",
  "restart of a broker",
  "leaders moved to another broker",
  "broker added, another drained and removed, and back",
  "transaction open until committed or aborted or timed out",
];

describeWithKafka("publishing under faults:", () => {
  test(`[W3] [W5] [W9] ${EACH * CLIENTS} publishes by ${CLIENTS} clients are as many records, each where it was acknowledged, each client's in order (seed ${SEED})`, async () => {
    const kinds = KINDS.map(({ name }) => name).filter((name) => ON_THE_WAY.includes(name));
    const results = await faultRun({
      seed: SEED,
      seconds: SECONDS,
      alone: 0,
      kinds,
      runtimes: ["workerd", "node"],
      brokers: 3,
      origins: 2,
      connections: { count: 0, each: 1, over: 1 },
      publishesEach: EACH,
      say: () => {},
      verbose: false,
    });
    console.info(publishTable(results));

    const { made, findings } = results.publishes;
    expect(failures(results)).toEqual([]);
    expect(made).toHaveLength(EACH * CLIENTS);
    expect(findings).toMatchObject({ acknowledged: made.length, logged: made.length });
    const took = results.injected.filter(({ notInjected }) => notInjected === undefined).length;
    figure(
      `${findings.acknowledged} publishes during ${took} faults: each one record, where it was acknowledged`,
    );
  }, 1_200_000);
});
