import { describe, expect, test } from "vitest";
import {
  IDLE,
  type Seeking,
  type SeekingEvent,
  stepSeeking,
  TRIES,
} from "../../../edge/endpoint/seeking-states.ts";

describe("[L1] every event in every state of the search for a link", () => {
  const states: Record<string, Seeking> = {
    idle: IDLE,
    pausing: { kind: "pausing" },
    asking: { kind: "asking", tries: 2 },
    awaiting: { kind: "awaiting", tries: 2 },
    "awaiting, the last time": { kind: "awaiting", tries: TRIES },
    resting: { kind: "resting", tries: 2 },
    "resting, the last time": { kind: "resting", tries: TRIES },
  };
  const events = {
    "wanted now": { kind: "wanted", when: "now" },
    "wanted later": { kind: "wanted", when: "later" },
    noted: { kind: "noted" },
    failed: { kind: "failed" },
    elapsed: { kind: "elapsed" },
    "not needed": { kind: "notNeeded" },
  } as const satisfies Record<string, SeekingEvent>;
  /** What isn't named stays. */
  const expected: Record<string, Partial<Record<keyof typeof events, Seeking>>> = {
    idle: { "wanted now": { kind: "asking", tries: 1 }, "wanted later": { kind: "pausing" } },
    pausing: { elapsed: { kind: "asking", tries: 1 }, "not needed": IDLE },
    asking: {
      noted: { kind: "awaiting", tries: 2 },
      failed: { kind: "resting", tries: 2 },
      "not needed": IDLE,
    },
    awaiting: { elapsed: { kind: "asking", tries: 3 }, "not needed": IDLE },
    "awaiting, the last time": { elapsed: IDLE, "not needed": IDLE },
    resting: { elapsed: { kind: "asking", tries: 3 }, "not needed": IDLE },
    "resting, the last time": { elapsed: IDLE, "not needed": IDLE },
  };
  const cells = Object.entries(states).flatMap(([name, state]) =>
    Object.entries(events).map(([event, what]) => [name, event, state, what] as const),
  );

  test.each(cells)("%s, when it is %s", (name, event, state, what) => {
    expect(stepSeeking(state, what)).toEqual(expected[name]?.[event as keyof typeof events] ?? state);
  });
});
