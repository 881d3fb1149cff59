import { describe, expect, test } from "vitest";
import {
  Scatter,
  type SliceEvent,
  type SliceState,
  stepSlice,
} from "../../../../edge/shard/answering/scatter.ts";

type Kind = SliceState<string>["kind"];

describe("[N6] [N8] every event in every state of a slice", () => {
  const states: { readonly [K in Kind]: Extract<SliceState<string>, { kind: K }> } = {
    missing: { kind: "missing" },
    asked: { kind: "asked" },
    skipped: { kind: "skipped" },
    answered: { kind: "answered", answer: "before" },
    released: { kind: "released" },
    pressed: { kind: "pressed" },
  };
  const events = {
    put: { kind: "put" },
    answers: { kind: "answers", answer: "now" },
    "takes time": { kind: "takesTime" },
    late: { kind: "late" },
    full: { kind: "full" },
    release: { kind: "release" },
    press: { kind: "press" },
    lost: { kind: "lost", keeps: false },
    "lost, answers are kept": { kind: "lost", keeps: true },
  } as const satisfies Record<string, SliceEvent<string>>;
  const expected: Record<Kind, Record<keyof typeof events, string>> = {
    missing: {
      put: "asked",
      answers: "answered now",
      "takes time": "missing",
      late: "missing",
      full: "missing",
      release: "missing",
      press: "missing",
      lost: "missing",
      "lost, answers are kept": "missing",
    },
    asked: {
      put: "asked",
      answers: "answered now",
      "takes time": "skipped",
      late: "skipped",
      full: "skipped",
      release: "asked",
      press: "asked",
      lost: "missing",
      "lost, answers are kept": "missing",
    },
    skipped: {
      put: "asked",
      answers: "answered now",
      "takes time": "skipped",
      late: "skipped",
      full: "skipped",
      release: "skipped",
      press: "skipped",
      lost: "missing",
      "lost, answers are kept": "missing",
    },
    answered: {
      put: "asked",
      answers: "answered before",
      "takes time": "answered before",
      late: "answered before",
      full: "answered before",
      release: "released",
      press: "answered before",
      lost: "missing",
      "lost, answers are kept": "answered before",
    },
    released: {
      put: "asked",
      answers: "answered now",
      "takes time": "released",
      late: "released",
      full: "released",
      release: "released",
      press: "pressed",
      lost: "missing",
      "lost, answers are kept": "missing",
    },
    pressed: {
      put: "asked",
      answers: "answered now",
      "takes time": "pressed",
      late: "pressed",
      full: "skipped",
      release: "pressed",
      press: "pressed",
      lost: "missing",
      "lost, answers are kept": "missing",
    },
  };

  const cells = Object.entries(expected).flatMap(([state, row]) =>
    Object.entries(row).map(
      ([event, outcome]) => [state as Kind, event as keyof typeof events, outcome] as const,
    ),
  );

  test.each(cells)("%s, %s → %s", (state, event, outcome) => {
    const next: SliceState<string> = stepSlice<string>(states[state], events[event]);

    expect(next.kind === "answered" ? `answered ${next.answer}` : next.kind).toBe(outcome);
  });
});

describe("[N6] [N8] all slices taken together", () => {
  /** Steps of slices, in order: `slice event`. */
  const stepped = (count: number, ...steps: (readonly [number, SliceEvent<string>])[]) => {
    const scatter = new Scatter<string>(count);
    for (const [slice, event] of steps) scatter.step(slice, event);
    return scatter;
  };
  const put = { kind: "put" } as const;
  const answers = { kind: "answers", answer: "a" } as const;
  const late = { kind: "late" } as const;

  test.each([
    ["nobody was asked", stepped(2), "over"],
    ["one is waited for", stepped(2, [1, put]), "open"],
    ["one has answered, one is waited for", stepped(2, [1, put], [2, put], [1, answers]), "open"],
    ["one has answered, one is late", stepped(2, [1, put], [2, put], [1, answers], [2, late]), "partial"],
    ["one has answered, one is missing", stepped(2, [1, put], [1, answers]), "over"],
    [
      "one is pressed",
      stepped(2, [1, put], [1, answers], [1, { kind: "release" }], [1, { kind: "press" }]),
      "open",
    ],
    ["each has answered", stepped(2, [1, put], [2, put], [1, answers], [2, answers]), "whole"],
    [
      "the last one that was out is lost",
      stepped(2, [1, put], [2, put], [1, answers], [2, late], [2, { kind: "lost", keeps: true }]),
      "over",
    ],
  ])("if %s it is as it should be", (_, scatter, progress) => {
    expect(scatter.progress).toBe(progress);
  });

  test("answers are in the order in which they came; one that comes anew comes last", () => {
    const scatter = stepped(3, [1, put], [2, put], [3, put]);
    for (const slice of [2, 1, 3]) scatter.step(slice, { kind: "answers", answer: `of ${slice}` });
    scatter.step(2, put);
    scatter.step(2, { kind: "answers", answer: "anew" });

    expect([...scatter.answers()]).toEqual([
      [1, "of 1"],
      [3, "of 3"],
      [2, "anew"],
    ]);
  });

  test("what was released is known until it is asked for again", () => {
    const scatter = stepped(3, [1, put], [2, put], [1, answers]);
    scatter.stepAll({ kind: "release" });
    expect([scatter.released(), scatter.answerOf(1)]).toEqual([[1], undefined]);

    scatter.step(1, { kind: "press" });
    expect(scatter.released()).toEqual([]);
  });
});
