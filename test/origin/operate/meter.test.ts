import { expect, test } from "vitest";
import { createLog } from "../../../origin/operate/log.ts";
import { Meter } from "../../../origin/operate/meter.ts";
import type { Source } from "../../../origin/source/source.ts";
import { record } from "../../support/small-origin.ts";

test("it counts records and their bytes by topic, and passes them on as they are", async () => {
  const batch = { records: [record(0, "k", "12"), record(1, "key", null)], nextOffset: 2, endOffset: 2 };
  const source: Source = {
    topics: async () => ["t"],
    describe: async () => [],
    offsetAt: async () => undefined,
    read: async (_, onBatch) => onBatch(batch),
    close: async () => undefined,
  };
  const meter = new Meter();
  const metered = meter.source(source);
  const seen: unknown[] = [];

  for (const topic of ["t", "t", "u"])
    await metered.read(
      { topic, partition: 0, epoch: "e.0", from: 0, signal: new AbortController().signal },
      (read) => void seen.push(read),
    );

  expect(seen).toEqual([batch, batch, batch]);
  expect(Object.fromEntries(meter.read)).toEqual({
    t: { records: 4, bytes: 12 },
    u: { records: 2, bytes: 6 },
  });
});

test("it counts events that the level leaves out, and retries by their reason", () => {
  const lines: string[] = [];
  const meter = new Meter();
  const log = meter.log(
    createLog({
      level: "error",
      pretty: false,
      now: () => 0,
      secrets: [],
      write: (line) => lines.push(line),
    }),
  );

  log("partition_failed", { code: "unavailable", retryMs: 5 });
  log("still_failing", { code: "unavailable", retryMs: 9 });
  log("partition_stopped", { code: "corrupt" });

  expect(lines).toHaveLength(2);
  expect(meter.events.get("still_failing")).toBe(1);
  expect([...meter.retries]).toEqual([["unavailable", 2]]);
});
