import { expect, test } from "vitest";
import { createLog, type Level } from "../../origin/log.ts";

function logged(level: Level, pretty: boolean): string[] {
  const lines: string[] = [];
  const log = createLog({ level, pretty, now: () => 1_763_690_000_123, write: (line) => lines.push(line) });
  log("uplink_open", { shard: 0, edge: "https://edge.example" });
  log("partition_ready");
  log("partition_failed", { topic: "quotes", partition: 3 });
  return lines;
}

test("an event is one line of JSON with its time, level, name and sentence", () => {
  expect(logged("info", false).map((line) => JSON.parse(line))).toEqual([
    {
      time: "2025-11-21T01:53:20.123Z",
      level: "info",
      event: "uplink_open",
      message: "an uplink is open",
      shard: 0,
      edge: "https://edge.example",
    },
    expect.objectContaining({ level: "error", event: "partition_failed", topic: "quotes", partition: 3 }),
  ]);
});

test("events less grave than the level are left out", () => {
  expect([logged("error", false).length, logged("debug", false).length]).toEqual([1, 3]);
});

test("for people a line is time, level, sentence and fields", () => {
  expect(logged("info", true)[0]).toBe(
    "01:53:20 info  an uplink is open shard=0 edge=https://edge.example\n",
  );
});
