import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INITIAL_CONNECTION, stepConnection } from "../../../shared/client/connection.ts";
import type {
  ConnectionContext,
  ConnectionEffect,
  ConnectionEvent,
  ConnectionPhase,
  ConnectionState,
} from "../../../shared/client/connection-terms.ts";
import { CLOSE, TOKEN_CLOSES } from "../../../shared/protocol/codes.ts";

const limits = {
  backoff: { baseMs: 100, maxMs: 5_000 },
  connectMs: 10_000,
  quietMs: 15_000,
  silenceMs: 10_000,
  steadyMs: 5_000,
  explainMs: 60_000,
  lookMs: 1_000,
};
const at = (now: number, random = 0.5): ConnectionContext => ({ now, random, limits });
const error = { code: "unknown_topic", message: "no such topic", retry: false };

const EVENTS: { readonly [K in ConnectionEvent["kind"]]: ConnectionEvent<K> } = {
  start: { kind: "start" },
  opened: { kind: "opened" },
  heard: { kind: "heard" },
  dropped: { kind: "dropped", code: 1006, reason: "" },
  timer: { kind: "timer" },
  look: { kind: "look", sleptMs: 0 },
  reconnect: { kind: "reconnect", reason: "of no use" },
  refused: { kind: "refused", error },
  putOff: { kind: "putOff", afterMs: 20_000 },
  noToken: { kind: "noToken", error: { code: "expired", message: "", retry: false } },
  close: { kind: "close", reason: "enough" },
};

const inPhase = (phase: ConnectionPhase, more: Partial<ConnectionState> = {}): ConnectionState => ({
  ...INITIAL_CONNECTION,
  phase,
  answerBy: 1_000_000,
  ...more,
});

const name = (effect: ConnectionEffect) =>
  effect.kind === "changed" ? `→${effect.state}` : effect.kind === "schedule" ? "timer" : effect.kind;

describe("every event in every phase", () => {
  const same = (phase: ConnectionPhase) => `${phase}:`;
  /** The next phase and the effects, long after the connection was opened and last heard of. */
  const expected: Record<ConnectionPhase, Record<ConnectionEvent["kind"], string>> = {
    idle: {
      start: "connecting: dial timer →connecting",
      opened: same("idle"),
      heard: same("idle"),
      dropped: same("idle"),
      timer: same("idle"),
      look: same("idle"),
      reconnect: same("idle"),
      refused: same("idle"),
      putOff: same("idle"),
      noToken: "closed: error cancel →closed",
      close: "closed: cancel →closed",
    },
    connecting: {
      start: same("connecting"),
      opened: "open: ping timer →open",
      heard: same("connecting"),
      dropped: "backingOff: explain timer →backingOff",
      timer: "backingOff: hangUp timer →backingOff",
      look: "connecting: hangUp dial timer →connecting",
      reconnect: "backingOff: hangUp timer →backingOff",
      refused: "closed: hangUp error cancel →closed",
      putOff: same("connecting"),
      noToken: same("connecting"),
      close: "closed: hangUp cancel →closed",
    },
    open: {
      start: same("open"),
      opened: same("open"),
      heard: "open:",
      dropped: "backingOff: timer →backingOff",
      timer: "probing: ping timer",
      look: "probing: ping timer",
      reconnect: "backingOff: hangUp timer →backingOff",
      refused: same("open"),
      putOff: same("open"),
      noToken: same("open"),
      close: "closed: hangUp cancel →closed",
    },
    probing: {
      start: same("probing"),
      opened: same("probing"),
      heard: "open:",
      dropped: "backingOff: timer →backingOff",
      timer: "backingOff: hangUp timer →backingOff",
      look: "probing: ping timer",
      reconnect: "backingOff: hangUp timer →backingOff",
      refused: same("probing"),
      putOff: same("probing"),
      noToken: same("probing"),
      close: "closed: hangUp cancel →closed",
    },
    backingOff: {
      start: same("backingOff"),
      opened: same("backingOff"),
      heard: same("backingOff"),
      dropped: same("backingOff"),
      timer: "connecting: dial timer →connecting",
      look: same("backingOff"),
      reconnect: same("backingOff"),
      refused: "closed: hangUp error cancel →closed",
      putOff: "backingOff: timer →backingOff",
      noToken: same("backingOff"),
      close: "closed: cancel →closed",
    },
    barred: {
      start: "backingOff: timer →backingOff",
      opened: same("barred"),
      heard: same("barred"),
      dropped: same("barred"),
      timer: same("barred"),
      look: same("barred"),
      reconnect: same("barred"),
      refused: same("barred"),
      putOff: same("barred"),
      noToken: "closed: error cancel →closed",
      close: "closed: cancel →closed",
    },
    closed: {
      start: same("closed"),
      opened: same("closed"),
      heard: same("closed"),
      dropped: same("closed"),
      timer: same("closed"),
      look: same("closed"),
      reconnect: same("closed"),
      refused: same("closed"),
      putOff: same("closed"),
      noToken: same("closed"),
      close: same("closed"),
    },
  };

  const cells = Object.entries(expected).flatMap(([phase, row]) =>
    Object.entries(row).map(([event, outcome]) => [phase, event, outcome] as const),
  );
  test.each(cells)("%s, %s → %s", (phase, kind, outcome) => {
    const event = EVENTS[kind as ConnectionEvent["kind"]];

    const { state, effects } = stepConnection(inPhase(phase as ConnectionPhase), event, at(1_000_000));

    expect(`${state.phase}: ${effects.map(name).join(" ")}`.trim()).toBe(outcome);
  });
});

describe("[S26] when the network may have changed", () => {
  const look = (sleptMs = 0) => ({ kind: "look", sleptMs }) as const;
  const scheduled = (effects: readonly ConnectionEffect[]) =>
    effects.find((effect) => effect.kind === "schedule")?.afterMs;

  test("an open connection must answer a ping soon, and however often one looks, no later", () => {
    const first = stepConnection(inPhase("open", { heardAt: 90_000 }), look(), at(100_000));
    expect(scheduled(first.effects)).toBe(1_000);
    const second = stepConnection(first.state, look(), at(100_400));
    expect(scheduled(second.effects)).toBe(600);
    const after = stepConnection(second.state, EVENTS.timer, at(101_000));

    expect(after.state.phase).toBe("backingOff");
    expect(stepConnection(second.state, EVENTS.heard, at(100_500)).state.phase).toBe("open");
  });

  test("if it is looked at late itself, an answer may be there unread: it is asked once more", () => {
    const asked = inPhase("probing", { answerBy: 101_000 });

    expect(stepConnection(asked, EVENTS.timer, at(101_999)).state.phase).toBe("backingOff");
    expect(stepConnection(asked, EVENTS.timer, at(102_000)).effects.map(name)).toEqual(["ping", "timer"]);
  });

  test("one that was asked already is given less time, not more", () => {
    const asked = stepConnection(inPhase("open", { heardAt: 0 }), EVENTS.timer, at(15_000));
    expect(scheduled(asked.effects)).toBe(limits.silenceMs);

    expect(scheduled(stepConnection(asked.state, look(), at(16_000)).effects)).toBe(1_000);
    expect(scheduled(stepConnection(asked.state, look(), at(24_500)).effects)).toBe(500);
  });

  test("a dial that was just made is waited for, unless it is from before a sleep", () => {
    const dialled = inPhase("connecting", { dialAt: 10_000 });

    expect(stepConnection(dialled, look(), at(10_999)).effects).toEqual([]);
    expect(stepConnection(dialled, look(), at(11_000)).effects.map(name)).toContain("dial");
    expect(stepConnection(dialled, look(60_000), at(10_001)).effects.map(name)).toContain("dial");
  });

  test("a dial that was just made may fail by what was before: the next one follows soon", () => {
    const dialled = inPhase("connecting", { attempt: 7, dialAt: 10_000 });
    const { state } = stepConnection(dialled, look(), at(10_500));

    expect(scheduled(stepConnection(dialled, EVENTS.dropped, at(10_600, 0.5)).effects)).toBe(2_500);
    expect(scheduled(stepConnection(state, EVENTS.dropped, at(10_600, 0.5)).effects)).toBe(50);
  });

  test("who waits dials soon, after a sleep at once, but not before whoever put it off has said", () => {
    const waiting = inPhase("backingOff", { attempt: 9, dialAt: 30_000 });

    expect(scheduled(stepConnection(waiting, look(), at(0, 0.5)).effects)).toBe(50);
    expect(scheduled(stepConnection(waiting, look(60_000), at(0, 0.5)).effects)).toBe(0);
    const putOff = { ...waiting, notBefore: 20_000 };
    expect(scheduled(stepConnection(putOff, look(60_000), at(0, 0.5)).effects)).toBe(20_000);
    expect(stepConnection({ ...waiting, dialAt: 20 }, look(), at(0, 0.5)).effects).toEqual([]);
  });

  test("after a sleep two dials follow at once, whatever failed before; those after them wait as always", () => {
    let { state } = stepConnection(inPhase("open", { attempt: 7, openedAt: 0 }), look(60_000), at(1_000));
    const delays: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const event = i === 0 ? EVENTS.timer : EVENTS.dropped;
      const step = stepConnection(state, event, at(2_000));
      delays.push(scheduled(step.effects));
      state = { ...step.state, phase: "connecting" };
    }

    expect(delays).toEqual([0, 0, 200, 400]);
  });
});

describe("reconnecting", () => {
  const closeWith = (code: number) =>
    stepConnection(inPhase("open"), { kind: "dropped", code, reason: "" }, at(0)).state.phase;

  test("[C3] [C4] [S23] after every close code that says the same would happen again it is over, or waits for another token; after all others it goes on", () => {
    const ofTokens = new Set<number>(TOKEN_CLOSES.map((name) => CLOSE[name]));
    for (let code = 1000; code <= 5000; code++) {
      const after = ofTokens.has(code) ? "barred" : code >= 4500 && code <= 4999 ? "closed" : "backingOff";
      expect(closeWith(code)).toBe(after);
    }
    expect(closeWith(CLOSE.slow_consumer)).toBe("backingOff");
    expect(closeWith(CLOSE.unauthorized)).toBe("closed");
  });

  const retryMs = (state: ConnectionState, context: ConnectionContext) => {
    const step = stepConnection(state, { kind: "dropped", code: 1006, reason: "" }, context);
    const changed = step.effects.find((effect) => effect.kind === "changed");
    return { state: step.state, retryMs: changed?.retryMs };
  };

  test("[S10] delays are spread by chance and their bound grows as long as connections don't last", () => {
    let state = inPhase("connecting");
    const delays: unknown[] = [];
    for (let i = 0; i < 8; i++) {
      const failed = retryMs(state, at(0, 0.5));
      delays.push(failed.retryMs);
      state = { ...failed.state, phase: "connecting" };
    }

    expect(delays).toEqual([50, 100, 200, 400, 800, 1_600, 2_500, 2_500]);
    expect(retryMs(inPhase("connecting"), at(0, 0)).retryMs).toBe(0);
  });

  test("[S11] the first thing that is said on a connection is a ping", () => {
    const [first] = stepConnection(inPhase("connecting"), EVENTS.opened, at(0)).effects;
    expect(first).toEqual({ kind: "ping" });
  });

  test("[S10] a connection that is accepted and dropped at once counts as a failure, one that lasted does not", () => {
    const open = inPhase("open", { attempt: 3, openedAt: 1_000, heardAt: 1_000 });

    expect(retryMs(open, at(1_000 + limits.steadyMs - 1)).retryMs).toBe(400);
    expect(retryMs(open, at(1_000 + limits.steadyMs)).retryMs).toBe(50);
  });

  /** Whether a dial that failed is asked about. */
  const failed = (state: ConnectionState, now: number) => {
    const step = stepConnection({ ...state, phase: "connecting" }, EVENTS.dropped, at(now));
    return { state: step.state, asked: step.effects.some(({ kind }) => kind === "explain") };
  };

  test("[H9] the first dial of all is asked about when it fails; then at most one a minute, while none succeeds", () => {
    let { state, asked } = failed(inPhase("connecting"), 5);
    const others: boolean[] = [];
    for (const now of [1_000, 60_004, 60_005, 61_000, 120_005]) {
      const next = failed(state, now);
      others.push(next.asked);
      state = next.state;
    }

    expect(asked).toBe(true);
    expect(others).toEqual([false, false, true, false, true]);
  });

  test("[H9] after a good connection a short outage is not asked about, one that lasts is", () => {
    let { state } = stepConnection(inPhase("connecting"), EVENTS.opened, at(0));
    const asked: boolean[] = [];
    for (const now of [500_000, 500_100, 559_999, 560_000]) {
      const next = failed(state, now);
      asked.push(next.asked);
      state = next.state;
    }

    expect(asked).toEqual([false, false, false, true]);
  });

  test("[C2] it is waited for longer than was asked for, by chance, but not for ever, and never shorter than it was to be", () => {
    const backingOff = inPhase("backingOff", { dialAt: 10_000 });
    const dialAfter = (afterMs: number) =>
      stepConnection(backingOff, { kind: "putOff", afterMs }, at(1_000)).effects;

    expect(dialAfter(9_000)).toEqual([]);
    expect(dialAfter(9_001)).toEqual([
      { kind: "schedule", afterMs: 9_051 },
      { kind: "changed", state: "backingOff", retryMs: 9_051 },
    ]);
    expect(dialAfter(1e12)[0]).toEqual({ kind: "schedule", afterMs: 300_050 });
  });

  test("[C2] that holds, too, if it is told when the next dial is under way and fails", () => {
    const { state } = stepConnection(inPhase("connecting"), EVENTS.putOff, at(1_000));

    expect(retryMs(state, at(2_000)).retryMs).toBe(19_050);
    const { state: opened } = stepConnection(state, EVENTS.opened, at(2_000));
    expect(retryMs(opened, at(2_000)).retryMs).toBe(50);
  });

  test.each([
    ["unknown_topic: no such topic is exposed", "unknown_topic", "no such topic is exposed"],
    ["revoked", "revoked", "revoked"],
    ["", "refused", ""],
    ["Go away!", "refused", "Go away!"],
  ])("[C3] [C4] a close that forbids to come back is told as an error: %j", (reason, code, message) => {
    const { effects } = stepConnection(inPhase("open"), { kind: "dropped", code: 4700, reason }, at(0));

    expect(effects[0]).toEqual({ kind: "error", error: { code, message, retry: false } });
  });
});

describe("[S23] a token that is refused", () => {
  const expired = { code: "expired", message: "the token has expired", retry: false };

  test.each([
    ["connecting", { kind: "dropped", code: CLOSE.expired, reason: "expired: the token has expired" }, []],
    ["open", { kind: "dropped", code: CLOSE.expired, reason: "expired: the token has expired" }, []],
    ["probing", { kind: "dropped", code: CLOSE.expired, reason: "expired: the token has expired" }, []],
    ["connecting", { kind: "refused", error: expired }, ["hangUp"]],
    ["backingOff", { kind: "refused", error: expired }, ["hangUp"]],
  ] as const)(
    "%s, %j: no dial is made, and no timer runs, before there is another",
    (phase, event, before) => {
      const { state, effects } = stepConnection(inPhase(phase), event, at(1_000));

      expect(state.phase).toBe("barred");
      expect(effects.map(name)).toEqual([...before, "cancel", "→backingOff", "tokenRefused"]);
      expect(effects.at(-1)).toEqual({ kind: "tokenRefused", error: expired });
    },
  );

  test("is told by its code, should the reason be lost on the way", () => {
    const { effects } = stepConnection(
      inPhase("open"),
      { kind: "dropped", code: CLOSE.revoked, reason: "" },
      at(0),
    );

    expect(effects.at(-1)).toMatchObject({ error: { code: "revoked" } });
  });

  test("[S10] the next dial waits longer each time, unless a connection lasted", () => {
    let state = inPhase("open", { openedAt: 0, attempt: 3 });
    const delays = [5_000, 6_000, 6_500].map((now) => {
      const barred = stepConnection(
        state,
        { kind: "dropped", code: CLOSE.expired, reason: "" },
        at(now),
      ).state;
      const { state: backingOff, effects } = stepConnection(barred, EVENTS.start, at(now));
      state = { ...backingOff, phase: "open", openedAt: now };
      return effects.flatMap((effect) => (effect.kind === "schedule" ? [effect.afterMs] : []))[0];
    });

    expect(delays).toEqual([50, 100, 200]);
  });
});

describe("[S8] liveness", () => {
  test("the other end is asked only when nothing was heard for the whole time", () => {
    const open = inPhase("open", { openedAt: 0, heardAt: 9_000 });

    const early = stepConnection(open, EVENTS.timer, at(15_000));
    const late = stepConnection(open, EVENTS.timer, at(24_000));

    expect(early.state.phase).toBe("open");
    expect(early.effects).toEqual([{ kind: "schedule", afterMs: 9_000 }]);
    expect(late.state.phase).toBe("probing");
    expect(late.effects).toEqual([{ kind: "ping" }, { kind: "schedule", afterMs: 10_000 }]);
  });

  test("any message in answer will do, and the timer that still runs then does no harm", () => {
    const heard = stepConnection(inPhase("probing"), EVENTS.heard, at(20_000)).state;

    const { state, effects } = stepConnection(heard, EVENTS.timer, at(25_000));

    expect(state.phase).toBe("open");
    expect(effects).toEqual([{ kind: "schedule", afterMs: 10_000 }]);
  });
});

/** Performs effects as a shell does, in the crudest form, and notes what must never be. */
function run(events: readonly (readonly [ConnectionEvent, number])[]) {
  let state = INITIAL_CONNECTION;
  let sockets = 0;
  let timer = false;
  let now = 0;
  const delays: number[] = [];
  for (const [event, passed] of events) {
    now += passed;
    if (event.kind === "timer" && !timer) continue;
    if (event.kind === "timer") timer = false;
    const wasClosed = state.phase === "closed";
    if (event.kind === "dropped" && ["connecting", "open", "probing"].includes(state.phase)) sockets--;
    const step = stepConnection(state, event, at(now, 0.999));
    state = step.state;
    if (wasClosed) expect(step.effects).toEqual([]);
    for (const effect of step.effects) {
      if (effect.kind === "dial") sockets++;
      if (effect.kind === "hangUp") sockets = 0;
      if (effect.kind === "schedule") timer = true;
      if (effect.kind === "cancel") timer = false;
      if (effect.kind === "changed" && effect.retryMs !== undefined) delays.push(effect.retryMs);
    }
    const busy = state.phase === "connecting" || state.phase === "open" || state.phase === "probing";
    expect(sockets).toBe(busy ? 1 : 0);
    // Alive, it always has something to wait for; closed, nothing is left that could wake it.
    expect(timer).toBe(state.phase !== "idle" && state.phase !== "closed");
  }
  return { state, delays };
}

describe("however events follow one another", () => {
  const event: fc.Arbitrary<ConnectionEvent> = fc.oneof(
    fc.constantFrom<ConnectionEvent>(EVENTS.opened, EVENTS.heard, EVENTS.timer, EVENTS.reconnect),
    fc.constantFrom(1000, 1006, 4000, 4001).map((code) => ({ kind: "dropped" as const, code, reason: "" })),
  );
  const script = fc.array(fc.tuple(event, fc.nat(40_000)), { minLength: 10, maxLength: 80 });

  test("there is never more than one socket, always a timer while it goes on, and delays keep within bounds", () => {
    let delaysSeen = 0;
    fc.assert(
      fc.property(script, (events) => {
        const { state, delays } = run([[EVENTS.start, 0], ...events]);

        expect(state.phase).not.toBe("closed");
        for (const delay of delays) expect(delay).toBeLessThanOrEqual(limits.backoff.maxMs);
        delaysSeen += delays.length;
      }),
    );
    expect(delaysSeen).toBeGreaterThan(0);
  });

  test("[C3] after a terminal close or close() nothing happens any more, and no timer is left", () => {
    const final: fc.Arbitrary<ConnectionEvent> = fc.constantFrom<ConnectionEvent>(
      EVENTS.close,
      { kind: "dropped", code: 4500, reason: "" },
      { kind: "dropped", code: 4999, reason: "" },
    );
    let terminal = 0;
    fc.assert(
      fc.property(script, final, script, (before, last, after) => {
        const { state } = run([[EVENTS.start, 0], ...before, [EVENTS.timer, 0], [last, 0], ...after]);

        if (state.phase === "closed") terminal++;
        if (last.kind === "close") expect(state.phase).toBe("closed");
      }),
    );
    expect(terminal).toBeGreaterThan(20);
  });
});
