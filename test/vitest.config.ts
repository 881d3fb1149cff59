/**
 * Three projects, one after the other: what runs within a test's own process, side by side; then what starts Kafka, the
 * product's processes, a real workerd or a browser, or waits for deadlines, silence and sleep, five files at once, since some wait
 * while others work; then what keeps a small machine busy by itself, one file at a time.
 */
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { LONG } from "./support/long.ts";

/** Of the tests of Kafka, those that take no broker, but functions. */
const PURE_KAFKA = [
  ..."apis batch-headers broker-line compression config crc32c dial-gate dial-policy fair-lines fence".split(
    " ",
  ),
  ..."turn hearing holding lanes memory packed produced-batch producing publishable".split(" "),
  ..."answer-bytes fetch-session listening record-batches throttle topic-config".split(" "),
];

/** The same of the edge, beside those in folders. */
const PURE_EDGE = "bounded-log principal set-clock simulation surroundings".split(" ");

/** Tests of real processes, and those that wait for what takes its time however fast the machine is. */
const REAL = [
  "test/e2e/*.test.ts",
  "test/local/*.test.ts",
  "test/runtime/*.test.ts",
  `test/edge/${allBut(PURE_EDGE)}`,
  `test/origin/kafka/${allBut(PURE_KAFKA)}`,
  "test/origin/reading/watched-read.test.ts",
  "test/fault/{origin-process,relays}.test.ts",
  "test/hostile/hostile.test.ts",
];
const REAL_AT_ONCE = 5;

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
    // kafkajs asks for timers in the past: the scripts that use it are started so, too.
    execArgv: ["--disable-warning=TimeoutNegativeWarning"],
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
          exclude: [...REAL, ...ALONE],
          // They leave nothing behind in their process, and loading all modules anew for each file took half of the time.
          isolate: false,
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "real",
          include: REAL,
          exclude: ALONE,
          globalSetup: join(import.meta.dirname, "support/prepare.ts"),
          maxWorkers: REAL_AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          exclude: ONLY_LONG,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

/** A glob of the tests in a folder that aren't these. Whole names: "principal" would be the beginning of another one, too. */
function allBut(names: readonly string[]): string {
  return `!(${names.map((name) => `${name}.test`).join("|")}).ts`;
}
