/** The table of docs/publishing.md, cell by cell against the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stepWriter, type WriterEvent, type WriterState } from "../../../origin/publish/writer-states.ts";

type State = WriterState<string, string>;

const text = readFileSync(join(import.meta.dirname, "../../../docs/publishing.md"), "utf8");
const why = { code: "unavailable", message: "" } as const;

const STATES: Record<State["kind"], State> = {
  idle: { kind: "idle", failures: 3 },
  claiming: { kind: "claiming", failures: 3 },
  ready: { kind: "ready", held: "held" },
  sending: { kind: "sending", held: "held", batch: "batch", tries: 2 },
  pausing: { kind: "pausing", held: "held" },
  doubtful: { kind: "doubtful", held: "held", batch: "batch", tries: 2 },
  barred: { kind: "barred", failures: 3, why },
  resigned: { kind: "resigned" },
};
const EVENTS: readonly WriterEvent<string, string>[] = [
  { kind: "wanted" },
  { kind: "takeOver" },
  { kind: "claimed", held: "new" },
  { kind: "failed", why },
  { kind: "sent", batch: "new" },
  { kind: "settled" },
  { kind: "notNow" },
  { kind: "unknown" },
  { kind: "unwanted" },
  { kind: "stale" },
  { kind: "fenced" },
  { kind: "elapsed" },
];

const [, body = ""] = /^\| State of the writer \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(text) ?? [];
const rows = body
  .trim()
  .split("\n")
  .map((line) => line.slice(2, -2).split(" | "));

describe("the writer of a partition", () => {
  test("the table has every state", () => {
    expect(rows.map(([name]) => name)).toEqual(Object.keys(STATES));
  });

  test.each(rows)("%s", (name, ...cells) => {
    const from = STATES[name as State["kind"]];

    expect(EVENTS.map((event) => stepWriter(from, event).kind)).toEqual(
      cells.map((cell) => /→ (\w+)/.exec(cell)?.[1] ?? name),
    );
  });

  test("a batch keeps its claim until its outcome is known, and tries are counted", () => {
    const doubtful = stepWriter(STATES.sending, { kind: "unknown" });
    expect(doubtful).toEqual({ kind: "doubtful", held: "held", batch: "batch", tries: 2 });
    expect(stepWriter(doubtful, { kind: "elapsed" })).toEqual({
      ...STATES.sending,
      tries: 3,
    });
  });

  test("failures add up until a claim succeeds", () => {
    const barred = stepWriter(STATES.claiming, { kind: "failed", why });
    expect(barred).toEqual({ kind: "barred", failures: 4, why });
    expect(stepWriter(barred, { kind: "elapsed" })).toEqual({ kind: "idle", failures: 4 });
    expect(stepWriter({ kind: "idle", failures: 4 }, { kind: "wanted" })).toEqual({
      kind: "claiming",
      failures: 4,
    });
  });
});
