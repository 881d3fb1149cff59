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
    connected: { kind: "connected" },
    lost: { kind: "lost" },
    verdict: verdict("a:10", "a:20", true),
    wait: { kind: "wait", id: 7, error: body(true) },
    refused: { kind: "refused", id: 7, error: body(false) },
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
    connected: `${phase}:`,
    lost: "away: cancel",
    verdict: `${phase}:`,
    wait: `${phase}:`,
    refused: `${phase}:`,
    reset: "catchingUp: gap",
    update: `${phase}: deliver`,
    unreadable: "asked: subscribe schedule",
    timer: `${phase}:`,
    close: "ended: cancel",
  });
  const verdictDue = (phase: SubscriptionPhase): Record<Event["kind"], string> => ({
    connected: `${phase}:`,
    lost: "away: cancel",
    verdict: "catchingUp: cancel verdict",
    wait: "waiting: cancel wait",
    refused: "ended: cancel end",
    reset: `${phase}:`,
    update: `${phase}:`,
    unreadable: "away: cancel reconnect",
    timer: `${phase}:`,
    close: "ended: cancel",
  });
  const nothing = (phase: SubscriptionPhase): Record<Event["kind"], string> => ({
    connected: `${phase}:`,
    lost: `${phase}:`,
    verdict: `${phase}:`,
    wait: `${phase}:`,
    refused: `${phase}:`,
    reset: `${phase}:`,
    update: `${phase}:`,
    unreadable: `${phase}:`,
    timer: `${phase}:`,
    close: `${phase}:`,
  });
  const expected: Record<SubscriptionPhase, Record<Event["kind"], string>> = {
    away: { ...nothing("away"), connected: "asked: schedule", close: "ended: cancel" },
    asked: { ...verdictDue("asked"), timer: "away: cancel reconnect" },
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
    expect(kinds(step(state, update(41, 40)).effects)).toBe("subscribe schedule");
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

  test("[S2] before a hole it asks again from where it is, with a larger id, and takes nothing until the verdict", () => {
    const asked = step(inPhase("live"), update(13, 12));
    const meanwhile = step(asked.state, update(11, 10));

    expect(asked.effects[0]).toEqual({ kind: "subscribe", id: 8, from: position("a:10") });
    expect(asked.state.statistics.holes).toBe(1);
    expect(meanwhile.effects).toEqual([]);
    expect(meanwhile.state.position).toEqual(position("a:10"));
  });

  test("[F9] a frame that can't be read is treated as a hole", () => {
    expect(step(inPhase("live"), { kind: "unreadable" }).effects[0]).toMatchObject({
      kind: "subscribe",
      from: position("a:10"),
    });
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

test("[S7] an error that may pass leads to another connection, any other ends the subscription", () => {
  const refused = (retry: boolean, id = 7) =>
    step(inPhase("asked"), { kind: "refused", id, error: body(retry) });

  expect(kinds(refused(true).effects)).toBe("cancel reconnect");
  expect(refused(false).state.phase).toBe("ended");
  expect(refused(false, 3).effects).toEqual([]);
});

test("each connection begins with the subscribe of its URL", () => {
  expect(step(inPhase("away"), { kind: "connected" }).state).toMatchObject({ phase: "asked", id: 0 });
});

test("what never continues is asked for on the socket, then over new connections, then given up as a gap", () => {
  let state = inPhase("live");
  const outcomes: string[] = [];
  for (let i = 0; i < FRUITLESS_LIMIT; i++) {
    const hole = step(state, update(13, 12));
    outcomes.push(kinds(hole.effects));
    state = hole.state;
    if (state.phase === "away") state = step(state, { kind: "connected" }).state;
    state = step(state, verdict("a:10", "a:13", true, state.id)).state;
  }

  expect(outcomes).toEqual([
    "subscribe schedule",
    "cancel reconnect",
    "cancel reconnect",
    "cancel reconnect",
    "gap cancel reconnect",
  ]);
  expect(state.statistics).toMatchObject({ holes: 5, gaps: 1, resumes: 4 });
});

test("an update that is taken shows that asking again was not fruitless", () => {
  const asked = step(inPhase("live", { fruitless: 3 }), update(11, 10)).state;

  expect(kinds(step(asked, update(13, 12)).effects)).toBe("subscribe schedule");
});
