import { describe, expect, test } from "vitest";
import {
  type Own,
  type OwnEvent,
  openId,
  stepOwn,
  stepTheirs,
  type TheirEvent,
  type Theirs,
} from "../../../edge/endpoint/question-states.ts";

const FROM = new Map([["e", 5]]);

describe("[R2] [R5] [L4] every event in every state of the object's own question", () => {
  const states: { readonly [K in Own["kind"]]: Extract<Own, { kind: K }> } = {
    settled: { kind: "settled" },
    due: { kind: "due" },
    asked: { kind: "asked", id: 7, from: FROM },
    held: { kind: "held", id: 7, from: FROM },
  };
  const events = {
    missed: { kind: "missed" },
    asks: { kind: "asks", id: 9, from: FROM },
    waiting: { kind: "waiting" },
    answered: { kind: "answered", more: false },
    "answered in part": { kind: "answered", more: true },
    lost: { kind: "lost" },
  } as const satisfies Record<string, OwnEvent>;
  const expected: Record<Own["kind"], Record<keyof typeof events, string>> = {
    settled: {
      missed: "due",
      asks: "settled",
      waiting: "settled",
      answered: "settled",
      "answered in part": "settled",
      lost: "due",
    },
    due: {
      missed: "due",
      asks: "asked 9",
      waiting: "due",
      answered: "due",
      "answered in part": "due",
      lost: "due",
    },
    asked: {
      missed: "asked 7",
      asks: "asked 7",
      waiting: "held 7",
      answered: "settled",
      "answered in part": "due",
      lost: "due",
    },
    held: {
      missed: "held 7",
      asks: "held 7",
      waiting: "held 7",
      answered: "settled",
      "answered in part": "due",
      lost: "due",
    },
  };

  test.each(cellsOf(expected))("%s, %s → %s", (state, event, outcome) => {
    const next = stepOwn(states[state], events[event]);

    expect([next.kind, openId(next)].join(" ").trim()).toBe(outcome);
  });
});

describe("[R2] [R5] [L8] every event in every state of a question of those who wait", () => {
  const states = {
    queued: { kind: "queued", checked: false, passed: undefined },
    "queued passed": { kind: "queued", checked: false, passed: 3 },
    "queued checked": { kind: "queued", checked: true, passed: undefined },
    asked: { kind: "asked", checked: false, id: 7 },
    "asked checked": { kind: "asked", checked: true, id: 7 },
    held: { kind: "held", checked: false, id: 7 },
    tired: { kind: "tired", checked: false },
    "tired checked": { kind: "tired", checked: true },
    stalled: { kind: "stalled" },
  } as const satisfies Record<string, Theirs>;
  const events = {
    asks: { kind: "asks", id: 9 },
    "passed over": { kind: "passedOver", before: 8 },
    "waiting, with room": { kind: "waiting", hasRoom: true },
    "waiting, without": { kind: "waiting", hasRoom: false },
    "answered, nothing is missing": { kind: "answered", steady: true },
    "answered, something is": { kind: "answered", steady: false },
    "own answered": { kind: "ownAnswered" },
    lost: { kind: "lost" },
  } as const satisfies Record<string, TheirEvent>;
  const stays = (text: string): Record<keyof typeof events, string> => ({
    asks: text,
    "passed over": text,
    "waiting, with room": text,
    "waiting, without": text,
    "answered, nothing is missing": text,
    "answered, something is": text,
    "own answered": text,
    lost: "queued",
  });
  const answered = { "answered, nothing is missing": "queued", "answered, something is": "stalled" };
  const expected: Record<keyof typeof states, Record<keyof typeof events, string>> = {
    queued: { ...stays("queued"), asks: "asked 9", "passed over": "queued passed 8" },
    "queued passed": { ...stays("queued passed 3"), asks: "asked 9" },
    "queued checked": {
      ...stays("queued checked"),
      asks: "asked checked 9",
      "passed over": "queued checked passed 8",
    },
    asked: {
      ...stays("asked 7"),
      ...answered,
      "waiting, with room": "held 7",
      "waiting, without": "tired",
    },
    "asked checked": {
      ...stays("asked checked 7"),
      ...answered,
      "waiting, with room": "held checked 7",
      "waiting, without": "tired checked",
    },
    held: { ...stays("held 7"), ...answered },
    tired: { ...stays("tired"), asks: "held 9" },
    "tired checked": { ...stays("tired checked"), asks: "held checked 9" },
    stalled: { ...stays("stalled"), "own answered": "queued checked" },
  };

  test.each(cellsOf(expected))("%s, %s → %s", (state, event, outcome) => {
    expect(textOf(stepTheirs(states[state], events[event]))).toBe(outcome);
  });

  function textOf(question: Theirs): string {
    const checked = question.kind !== "stalled" && question.checked ? "checked" : undefined;
    const passed = question.kind === "queued" && question.passed !== undefined;
    const words = [question.kind, checked, passed ? `passed ${question.passed}` : openId(question)];
    return words.filter((word) => word !== undefined).join(" ");
  }
});

function cellsOf<S extends string, E extends string>(table: Record<S, Record<E, string>>): [S, E, string][] {
  return (Object.entries(table) as [S, Record<E, string>][]).flatMap(([state, row]) =>
    (Object.entries(row) as [E, string][]).map(([event, outcome]): [S, E, string] => [state, event, outcome]),
  );
}
