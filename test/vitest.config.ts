/**
 * Four projects, one after the other: what runs within a test's own process, side by side; then what waits most of its
 * time, several files at once; then what starts Kafka, the product's processes, a real workerd or a browser, four files at
 * once, since one waits while the other works; then what keeps a small machine busy by itself, one file at a time.
 */
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { LONG } from "./support/long.ts";

/** Tests that wait for what takes its time however fast the machine is: idle objects, silent brokers, deadlines. */
const WAITING = [
  "test/e2e/asleep.test.ts",
  "test/e2e/connect.test.ts",
  "test/e2e/demand.test.ts",
  "test/e2e/occupancy.test.ts",
  "test/e2e/one-asker.test.ts",
  "test/e2e/token-ends.test.ts",
  "test/e2e/vanishing.test.ts",
  "test/edge/connect.test.ts",
  "test/edge/event-stream-idle.test.ts",
  "test/edge/event-stream.test.ts",
  "test/edge/publish.test.ts",
  "test/edge/raw-workerd.test.ts",
  "test/edge/roles-asleep.test.ts",
  "test/edge/tokens.test.ts",
  "test/edge/unread.test.ts",
  "test/edge/uplink.test.ts",
  "test/runtime/idle.test.ts",
  "test/origin/kafka/connection.test.ts",
  "test/origin/kafka/dials.test.ts",
  "test/origin/kafka/fetcher.test.ts",
  "test/origin/reading/watched-read.test.ts",
];
const WAITING_AT_ONCE = 8;

/** Of the tests of Kafka, those that take no broker, but functions. */
const PURE_KAFKA = [
  ..."apis batch-headers broker-line compression config crc32c dial-gate dial-policy fence".split(" "),
  ..."hearing holding lanes memory packed produced-batch producing publishable".split(" "),
  ..."answer-bytes fetch-session listening record-batches throttle topic-config".split(" "),
];

/** The same of the edge, beside those in folders. */
const PURE_EDGE = "bounded-log principal set-clock simulation surroundings".split(" ");

/** Tests of real processes. */
const REAL = [
  "test/e2e/*.test.ts",
  "test/local/*.test.ts",
  "test/runtime/*.test.ts",
  `test/edge/${allBut(PURE_EDGE)}`,
  `test/origin/kafka/${allBut(PURE_KAFKA)}`,
  "test/fault/relays.test.ts",
  "test/hostile/hostile.test.ts",
];
const REAL_AT_ONCE = 4;

/**
 * Tests that bring a whole system under load and must inject or measure enough, or take thousands of ports, or see that
 * nothing in the project's folder is written to.
 */
const ALONE = [
  "test/bench/{bench,command}.test.ts",
  "test/bench/rival/centrifugo.test.ts",
  "test/fault/faults.test.ts",
  "test/fault/publishing/thousands.test.ts",
  "test/fault/connections.test.ts",
  "test/e2e/{steady,visited}.test.ts",
  "test/local/{gate,help}.test.ts",
];
/** What the fault run's short form shows, too, with fewer publishes, and what few endpoints can't show. */
const ONLY_LONG = LONG
  ? []
  : [
      "test/fault/publishing/thousands.test.ts",
      "test/fault/connections.test.ts",
      "test/e2e/{steady,visited}.test.ts",
    ];
const ALL = ["test/**/*.test.ts"];

const root = join(import.meta.dirname, "..");

export default defineConfig({
  root,
  test: {
    // Processes that tests start, hundreds of them, load what the first one compiled.
    env: { WRANGLER_SEND_METRICS: "false", NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled") },
    // What waits for events has deadlines of its own; this one only ends what hangs.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000 } },
    // Cases of one file that wait wait together.
    maxConcurrency: 20,
    projects: [
      {
        extends: true,
        test: {
          name: "core",
          include: ALL,
          exclude: [...WAITING, ...REAL, ...ALONE],
          // They leave nothing behind in their process, and loading all modules anew for each file took half of the time.
          isolate: false,
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
          exclude: [...WAITING, ...ALONE],
          globalSetup: join(import.meta.dirname, "support/prepare.ts"),
          maxWorkers: REAL_AT_ONCE,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          exclude: ONLY_LONG,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

/** A glob of the tests in a folder that aren't these. Whole names: "principal" would be the beginning of another one, too. */
function allBut(names: readonly string[]): string {
  return `!(${names.map((name) => `${name}.test`).join("|")}).ts`;
}
