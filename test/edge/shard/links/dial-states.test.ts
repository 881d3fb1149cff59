import { describe, expect, test } from "vitest";
import {
  type DialEvent,
  type DialState,
  IDLE,
  stepDial,
  TRIES,
} from "../../../../edge/shard/links/dial-states.ts";

describe("[L1] every event in every state of an object that is dialled", () => {
  const states = {
    idle: IDLE,
    waits: { kind: "waits", tries: 2, upToMs: 500 },
    due: { kind: "due", tries: 2 },
    open: { kind: "open", tries: 2 },
    "open, its last try": { kind: "open", tries: TRIES - 1 },
  } as const satisfies Record<string, DialState>;
  const events = {
    dial: { kind: "dial" },
    later: { kind: "later", upToMs: 70 },
    "time is up": { kind: "timeIsUp" },
    turn: { kind: "turn" },
    opened: { kind: "opened" },
    failed: { kind: "failed" },
    forget: { kind: "forget" },
  } as const satisfies Record<string, DialEvent>;
  /** State, how often it has failed, and for how long it waits. */
  const expected: Record<keyof typeof states, Record<keyof typeof events, string>> = {
    idle: {
      dial: "due 0",
      later: "waits 0 70",
      "time is up": "idle",
      turn: "idle",
      opened: "idle",
      failed: "idle",
      forget: "idle",
    },
    waits: {
      dial: "due 2",
      later: "waits 2 500",
      "time is up": "due 2",
      turn: "waits 2 500",
      opened: "waits 2 500",
      failed: "waits 2 500",
      forget: "idle",
    },
    due: {
      dial: "due 2",
      later: "due 2",
      "time is up": "due 2",
      turn: "open 2",
      opened: "due 2",
      failed: "due 2",
      forget: "idle",
    },
    open: {
      dial: "open 2",
      later: "open 2",
      "time is up": "open 2",
      turn: "open 2",
      opened: "idle",
      failed: "waits 3 1000",
      forget: "idle",
    },
    "open, its last try": {
      dial: "open 9",
      later: "open 9",
      "time is up": "open 9",
      turn: "open 9",
      opened: "idle",
      failed: "idle",
      forget: "idle",
    },
  };

  const cells = Object.entries(expected).flatMap(([state, row]) =>
    Object.entries(row).map(
      ([event, outcome]) => [state as keyof typeof states, event as keyof typeof events, outcome] as const,
    ),
  );

  test.each(cells)("%s, %s → %s", (state, event, outcome) => {
    const next = stepDial(states[state], events[event]);

    expect(Object.values(next).join(" ")).toBe(outcome);
  });
});
