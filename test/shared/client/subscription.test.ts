import { describe, expect, test } from "vitest";
import {
  FRUITLESS_LIMIT,
  initialSubscription,
  type SubscriptionEffect,
  type SubscriptionEvent,
  type SubscriptionPhase,
  type SubscriptionState,
  stepSubscription,
} from "../../../shared/client/subscription.ts";
import type { Chained } from "../../../shared/protocol/position.ts";
import { NOTHING, type Position, parsePosition } from "../../../shared/protocol/position.ts";

type Event = SubscriptionEvent<Chained>;
type Effect = SubscriptionEffect<Chained>;

const limits = { answerMs: 30_000 };
const position = (text: string): Position => parsePosition(text) ?? NOTHING;
const update = (offset: number, previous?: number, epoch = "a"): Event => ({
  kind: "update",
  update: { epoch, offset, previous },
});
const verdict = (at: string, head: string, recovered?: boolean, id = 7): Event => ({
  kind: "verdict",
  id,
  verdict: {
    position: position(at),
    head: position(head),
    recovered,
    cause: recovered === false ? "horizon" : undefined,
  },
});
const body = (retry: boolean) => ({ code: retry ? "unavailable" : "unsupported", message: "", retry });

/** Has received up to a:10 and asked with id 7; is catching up to a:20. */
const inPhase = (phase: SubscriptionPhase, more: Partial<SubscriptionState> = {}): SubscriptionState => ({
  ...initialSubscription(position("a:10")),
  phase,
  id: 7,
  head: position("a:20"),
  ...more,
});

const step = (state: SubscriptionState, event: Event) => stepSubscription(state, event, limits);
const kinds = (effects: readonly Effect[]) => effects.map(({ kind }) => kind).join(" ");

describe("every event in every phase", () => {
  const EVENTS: { readonly [K in Event["kind"]]: Event } = {
    asked: { kind: "asked", id: 8 },
    lost: { kind: "lost" },
    verdict: verdict("a:10", "a:20", true),
    wait: { kind: "wait", id: 7, error: body(true) },
    refused: { kind: "refused", id: 7, error: body(false) },
    dismissed: { kind: "dismissed", error: body(true) },
    reset: {
      kind: "reset",
      verdict: { position: position("a:30"), head: position("a:31"), cause: "horizon" },
    },
    update: update(11, 10),
    unreadable: { kind: "unreadable" },
    timer: { kind: "timer" },
    close: { kind: "close" },
  };
  const receiving = (phase: SubscriptionPhase): Record<Event["kind"], string> => ({
    asked: `${phase}:`,
    lost: "away: cancel",
    verdict: `${phase}:`,
    wait: `${phase}:`,
    refused: `${phase}:`,
    dismissed: "away: cancel retry",
    reset: "catchingUp: gap",
    update: `${phase}: deliver`,
    unreadable: "away: ask",
    timer: `${phase}:`,
    close: "ended: cancel",
  });
  const verdictDue = (phase: SubscriptionPhase): Record<Event["kind"], string> => ({
    asked: `${phase}:`,
    lost: "away: cancel",
    verdict: "catchingUp: cancel verdict",
    wait: "waiting: cancel wait",
    refused: "ended: cancel end",
    dismissed: `${phase}:`,
    reset: `${phase}:`,
    update: `${phase}:`,
    unreadable: "away: cancel retry",
    timer: `${phase}:`,
    close: "ended: cancel",
  });
  const nothing = (phase: SubscriptionPhase): Record<Event["kind"], string> => ({
    asked: `${phase}:`,
    lost: `${phase}:`,
    verdict: `${phase}:`,
    wait: `${phase}:`,
    refused: `${phase}:`,
    dismissed: `${phase}:`,
    reset: `${phase}:`,
    update: `${phase}:`,
    unreadable: `${phase}:`,
    timer: `${phase}:`,
    close: `${phase}:`,
  });
  const expected: Record<SubscriptionPhase, Record<Event["kind"], string>> = {
    away: { ...nothing("away"), asked: "asked: schedule", close: "ended: cancel" },
    asked: { ...verdictDue("asked"), timer: "away: cancel retry" },
    waiting: verdictDue("waiting"),
    catchingUp: receiving("catchingUp"),
    live: receiving("live"),
    ended: nothing("ended"),
  };

  const cells = Object.entries(expected).flatMap(([phase, row]) =>
    Object.entries(row).map(([event, outcome]) => [phase, event, outcome] as const),
  );
  test.each(cells)("%s, %s → %s", (phase, kind, outcome) => {
    const { state, effects } = step(inPhase(phase as SubscriptionPhase), EVENTS[kind as Event["kind"]]);

    expect(`${state.phase}: ${kinds(effects)}`.trim()).toBe(outcome);
  });
});

describe("[S3] verdicts", () => {
  test("without a position the one of the verdict is adopted, and that is no gap", () => {
    const { state, effects } = step(inPhase("asked", { position: undefined }), verdict("a:41", "a:42"));

    expect(state).toMatchObject({ phase: "catchingUp", position: position("a:41") });
    expect(kinds(effects)).toBe("cancel verdict");
    expect(state.statistics).toMatchObject({ gaps: 0, resumes: 0 });
  });

  test("recovered: it goes on from where it was, and has caught up when it reaches the head", () => {
    const resumed = step(inPhase("asked"), verdict("a:10", "a:15", true)).state;
    const between = step(resumed, update(12, 10));
    const caughtUp = step(between.state, update(15, 12));

    expect(resumed).toMatchObject({ phase: "catchingUp", position: position("a:10") });
    expect(resumed.statistics.resumes).toBe(1);
    expect(kinds(between.effects)).toBe("deliver");
    expect(kinds(caughtUp.effects)).toBe("deliver live");
    expect(caughtUp.state.phase).toBe("live");
  });

  test("recovered with nothing missed: it is live at once", () => {
    const { state, effects } = step(inPhase("asked"), verdict("a:10", "a:10", true));

    expect(state.phase).toBe("live");
    expect(kinds(effects)).toBe("cancel verdict live");
  });

  test("not recovered: the gap is announced with its cause before anything else is delivered", () => {
    const { state, effects } = step(inPhase("asked"), verdict("a:40", "a:41", false));

    expect(state).toMatchObject({ phase: "catchingUp", position: position("a:40") });
    expect(effects.at(-1)).toEqual({
      kind: "gap",
      cause: "horizon",
      from: position("a:10"),
      position: position("a:40"),
    });
    expect(state.statistics.gaps).toBe(1);
  });

  test("one that does not say `recovered` in answer to a position shows nothing, so it is a gap", () => {
    expect(kinds(step(inPhase("asked"), verdict("a:10", "a:10")).effects)).toBe("cancel verdict gap live");
  });

  test("one that claims `recovered` but another position does not move the receiver: the rule finds the hole", () => {
    const { state } = step(inPhase("asked"), verdict("a:40", "a:41", true));

    expect(state.position).toEqual(position("a:10"));
    expect(kinds(step(state, update(41, 40)).effects)).toBe("ask");
  });

  test("[S2] one that answers an earlier subscribe is not taken for the answer to the last", () => {
    const { state, effects } = step(inPhase("asked"), verdict("a:40", "a:41", false, 6));

    expect(state).toEqual(inPhase("asked"));
    expect(effects).toEqual([]);
  });
});

describe("[P5] updates", () => {
  test("duplicates are counted and dropped", () => {
    const { state, effects } = step(inPhase("live"), update(10, 9));

    expect(effects).toEqual([]);
    expect(state.statistics).toMatchObject({ duplicates: 1, received: 0 });
  });

  test.each([
    ["before it is asked", (state: SubscriptionState) => state],
    ["once it is asked", (state: SubscriptionState) => step(state, { kind: "asked", id: 8 }).state],
  ])(
    "[S2] before a hole it asks again from where it is, and %s it takes nothing until the verdict",
    (_, go) => {
      const hole = step(inPhase("live"), update(13, 12));
      const meanwhile = step(go(hole.state), update(11, 10));

      expect(hole.effects).toEqual([{ kind: "ask" }]);
      expect(hole.state.statistics.holes).toBe(1);
      expect(meanwhile.effects).toEqual([]);
      expect(meanwhile.state.position).toEqual(position("a:10"));
    },
  );

  test("[F9] a frame that can't be read is treated as a hole", () => {
    expect(step(inPhase("live"), { kind: "unreadable" }).effects).toEqual([{ kind: "ask" }]);
  });

  test("each epoch chains by itself, and both are part of the position", () => {
    const { state } = step(inPhase("live"), update(3, undefined, "b"));

    expect(state.position).toEqual(position("a:10,b:3"));
  });
});

test("[S5] after a reset it goes on from the new position, having announced the gap", () => {
  const reset: Event = {
    kind: "reset",
    verdict: { position: position("c:4"), head: position("c:5"), cause: "epoch" },
  };

  const { state, effects } = step(inPhase("live"), reset);

  expect(effects).toEqual([
    { kind: "gap", cause: "epoch", from: position("a:10"), position: position("c:4") },
  ]);
  expect(kinds(step(state, update(5, 4, "c")).effects)).toBe("deliver live");
});

test("[S7] an error that may pass is followed by another attempt, any other ends the subscription", () => {
  const refused = (retry: boolean, id = 7) =>
    step(inPhase("asked"), { kind: "refused", id, error: body(retry) });

  expect(refused(true).effects.at(-1)).toEqual({ kind: "retry", reason: "unavailable", error: body(true) });
  expect(refused(false).state.phase).toBe("ended");
  expect(refused(false, 3).effects).toEqual([]);
});

test("[M8] one that the edge ended for good is over, unless it was asked for anew", () => {
  const end: Event = { kind: "dismissed", error: body(false) };

  expect(step(inPhase("live"), end).state.phase).toBe("ended");
  expect(step(inPhase("asked"), end).state.phase).toBe("asked");
});

test("what never continues is asked for at once, then after a while each, then given up as a gap", () => {
  let state = inPhase("live");
  const outcomes: string[] = [];
  for (let i = 0; i < FRUITLESS_LIMIT; i++) {
    const hole = step(state, update(13, 12));
    outcomes.push(kinds(hole.effects));
    state = hole.state;
    state = step(state, { kind: "asked", id: i }).state;
    state = step(state, verdict("a:10", "a:13", true, state.id)).state;
  }

  expect(outcomes).toEqual(["ask", "cancel retry", "cancel retry", "cancel retry", "gap cancel retry"]);
  expect(state.statistics).toMatchObject({ holes: 5, gaps: 1, resumes: 4 });
});

test("an update that is taken shows that asking again was not fruitless", () => {
  const asked = step(inPhase("live", { fruitless: 3 }), update(11, 10)).state;

  expect(kinds(step(asked, update(13, 12)).effects)).toBe("ask");
});
