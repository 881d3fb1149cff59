/**
 * Three projects, one after the other: what runs within a test's own process, side by side; then what waits most of its
 * time, several files at once; then what starts Kafka, the product's processes, a real workerd or a browser and keeps
 * them busy, one file at a time, so that they don't starve one another on a small machine.
 */
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests that wait for what takes its time however fast the machine is: idle objects, silent brokers, deadlines. */
const WAITING = [
  "test/e2e/asleep.test.ts",
  "test/e2e/demand.test.ts",
  "test/e2e/one-asker.test.ts",
  "test/e2e/token-ends.test.ts",
  "test/edge/event-stream-idle.test.ts",
  "test/edge/raw-workerd.test.ts",
  "test/origin/kafka/connection.test.ts",
  "test/origin/kafka/dials.test.ts",
  "test/origin/kafka/fetcher.test.ts",
  "test/origin/reading/watched-read.test.ts",
];
const WAITING_AT_ONCE = 4;

/** Of the tests of reading Kafka, those that take no broker, but functions. */
const PURE_KAFKA = [
  ..."compression config crc32c dial-gate dial-policy hearing line memory".split(" "),
  ...["produced-batch", "record-batches", "throttle", "topic-config"],
];

/** Tests that keep processes busy, or look at how long the event loop is busy. */
const REAL = [
  "test/e2e/*.test.ts",
  "test/local/*.test.ts",
  "test/edge/!(set-clock|simulation|surroundings).test.ts",
  `test/origin/kafka/!(${PURE_KAFKA.map((name) => `${name}.test`).join("|")}).ts`,
  "test/bench/{bench,command}.test.ts",
  "test/fault/{faults,publishing/thousands}.test.ts",
  "test/hostile/hostile.test.ts",
];
const ALL = ["test/**/*.test.ts"];

export default defineConfig({
  root: join(import.meta.dirname, ".."),
  test: {
    env: { WRANGLER_SEND_METRICS: "false" },
    // What waits for events has deadlines of its own; this one only ends what hangs.
    testTimeout: 60_000,
    hookTimeout: 240_000,
    // Cases of one file that wait wait together.
    maxConcurrency: 20,
    projects: [
      {
        extends: true,
        test: {
          name: "core",
          include: ALL,
          exclude: [...WAITING, ...REAL],
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "waiting", include: WAITING, maxWorkers: WAITING_AT_ONCE, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: "real",
          include: REAL,
          exclude: WAITING,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
