/**
 * Two projects: what runs within a test's own process, side by side; then what starts the product's processes, a
 * real workerd or a browser, one file at a time, so that they don't starve one another on a small machine.
 */
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests that start processes. */
const REAL = [
  "test/e2e/**/*.test.ts",
  "test/local/**/*.test.ts",
  "test/edge/**/*.test.ts",
  "test/origin/kafka/**/*.test.ts",
  "test/bench/bench.test.ts",
  "test/bench/command.test.ts",
  "test/fault/faults.test.ts",
];
const ALL = ["test/**/*.test.ts"];

export default defineConfig({
  root: join(import.meta.dirname, ".."),
  test: {
    env: { WRANGLER_SEND_METRICS: "false" },
    // What waits for events has deadlines of its own; this one only ends what hangs.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: "core", include: ALL, exclude: REAL, sequence: { groupOrder: 0 } } },
      {
        extends: true,
        test: { name: "real", include: REAL, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
