import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLog, EVENTS, hiding, type Level } from "../../../origin/operate/log.ts";

function logged(level: Level, pretty: boolean): string[] {
  const lines: string[] = [];
  const log = createLog({
    level,
    pretty,
    now: () => 1_763_690_000_123,
    secrets: [],
    write: (line) => lines.push(line),
  });
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

test.each([true, false])("whatever an error quotes, no secret is written (pretty: %s)", (pretty) => {
  const secrets = ['a "quoted"\\secret', 'a "quoted"\\secret and more', ""];
  const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
  const key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----";
  const written: string[] = [];
  const log = createLog({
    level: "info",
    pretty,
    now: () => 0,
    secrets,
    write: (line) => written.push(line),
  });

  for (const secret of [...secrets.slice(0, 2), `Bearer ${token}`, key])
    log("fatal", { why: `refused: ${secret}!`, deep: [{ secret }] });

  expect(written).toHaveLength(4);
  expect(written.join("")).not.toMatch(/quoted|and more|eyJ|MHcCAQ/);
  for (const line of written) expect(line).toContain("refused: ");
  if (!pretty) for (const line of written) expect(JSON.parse(line)).toMatchObject({ event: "fatal" });
});

test("a text without secrets stays as it is", () => {
  expect(hiding(["secret"])("the topic keys is read")).toBe("the topic keys is read");
});

test("the table of events in docs/metrics-and-events.md is that of the code", () => {
  const document = readFileSync(join(import.meta.dirname, "../../../docs/metrics-and-events.md"), "utf8");
  const rows = [...document.matchAll(/^\| `(\w+)` \| (error|warn|info|debug) \| (.*) \|$/gm)];

  expect(Object.fromEntries(rows.map(([, event, level, sentence]) => [event, [level, sentence]]))).toEqual(
    EVENTS,
  );
});
