/** The client's token, state by state: PROTOCOL.md's table, and what the states decide. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  INITIAL_TOKEN,
  REFUSALS,
  SOURCE_FAILURES,
  SPREAD_MS,
  stepToken,
  tokenOf,
  UNTIMELY_REFUSALS,
} from "../../../shared/client/token.ts";
import type { TokenEffect, TokenEvent, TokenPhase, TokenState } from "../../../shared/client/token-terms.ts";
import { CLOSE, TOKEN_CLOSES, tokenClose } from "../../../shared/protocol/codes.ts";

const limits = { sourceMs: 30_000, renewalMs: 15_000 };
const error = (code: string, retry = false, retryAfterMs?: number) => ({
  code,
  message: "",
  retry,
  retryAfterMs,
});
const step = (state: TokenState, event: TokenEvent, random = 0.5) =>
  stepToken(state, event, { random, nextId: 7, spreadMs: SPREAD_MS, limits });

const lack = { refused: { token: "old", error: error("revoked") }, refusals: 1, failures: 0 };
const STATES: { readonly [P in TokenPhase]: TokenState & { readonly kind: P } } = {
  unasked: { kind: "unasked" },
  asking: { kind: "asking", shared: false, ...lack },
  pausing: { kind: "pausing", ...lack },
  held: { kind: "held", token: "old", accepted: false, refusals: 1 },
  due: { kind: "due", token: "old", tries: 0 },
  renewing: { kind: "renewing", token: "old", tries: 0 },
  replacing: { kind: "replacing", token: "old", tries: 0 },
  sent: { kind: "sent", token: "old", next: "new", id: 6, tries: 0 },
  doomed: { kind: "doomed", token: "old", error: error("forbidden") },
  ended: { kind: "ended" },
};

const fetched = (token: string): TokenEvent => ({ kind: "fetched", token });
const refused = (code: string): TokenEvent => ({ kind: "refused", error: error(code) });
const rejected = (code: string, retry = false, retryAfterMs?: number, id = 6): TokenEvent => ({
  kind: "rejected",
  id,
  error: error(code, retry, retryAfterMs),
});
const expires: TokenEvent = { kind: "expires", inMs: 60_000 };
const timer: TokenEvent = { kind: "timer" };

/** By the table's columns: an event for each of the outcomes that a cell may name. */
const COLUMNS: readonly (readonly TokenEvent[])[] = [
  [fetched("new"), fetched("old")],
  [{ kind: "failed", problem: "" }],
  [timer],
  [{ kind: "dialled" }],
  [{ kind: "lost" }],
  [{ kind: "accepted" }],
  [expires],
  [{ kind: "renewed", id: 6 }],
  [rejected("rate_limited", true), rejected("forbidden")],
  [refused("expired"), refused("forbidden")],
];

const text = readFileSync(join(import.meta.dirname, "../../../shared/PROTOCOL.md"), "utf8");
const [, body = ""] = /^\| State of the token \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(text) ?? [];
const ROWS = body
  .trim()
  .split("\n")
  .map((line) => line.slice(2, -2).split(" | "));

const name = (effect: TokenEffect) => (effect.kind === "schedule" ? "timer" : effect.kind);
const outcome = (state: TokenState, event: TokenEvent) => {
  const { state: after, effects } = step(state, event);
  return [`${after.kind}:`, ...effects.map(name)].join(" ");
};
const delayOf = (effects: readonly TokenEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "schedule" ? [effect.afterMs] : []))[0];

describe("[S22] [S23] [S24] every event in every state", () => {
  test("the table has every state but the first, which only begins", () => {
    const phases = Object.keys(STATES).filter((phase) => phase !== "unasked");

    expect(ROWS.map(([phase]) => phase)).toEqual(phases);
    expect(outcome(INITIAL_TOKEN, { kind: "start" })).toBe("asking: timer ask");
    for (const event of COLUMNS.flat()) expect(outcome(INITIAL_TOKEN, event)).toBe("unasked:");
  });

  test.each(ROWS.map(([phase = "", ...cells]) => [phase as TokenPhase, cells] as const))(
    "[S22] [S23] %s leads where the table says",
    (phase, cells) => {
      const expected = COLUMNS.map((events, i) => {
        const targets = [...(cells[i] ?? "").matchAll(/→ (\w+)/g)].map(([, target]) => target);
        return events.map((_, which) => targets[which] ?? targets[0] ?? phase);
      });

      const after = COLUMNS.map((events) => events.map((event) => step(STATES[phase], event).state.kind));
      expect(after).toEqual(expected);
    },
  );

  test.each(Object.values(STATES))("close() in $kind is the end, and leaves no timer", (state) => {
    expect(outcome(state, { kind: "close" })).toBe(state.kind === "ended" ? "ended:" : "ended: cancel");
  });

  test.each<[TokenPhase, TokenEvent, string]>([
    ["asking", fetched("new"), "held: cancel ready"],
    ["asking", fetched("old"), "ended: cancel end"],
    ["asking", timer, "pausing: timer error"],
    ["pausing", timer, "asking: timer ask"],
    ["pausing", fetched("new"), "held: cancel ready"],
    ["held", refused("expired"), "asking: timer ask"],
    ["held", refused("revoked"), "ended: cancel end"],
    ["held", expires, "due: timer"],
    ["due", timer, "renewing: timer ask"],
    ["due", expires, "due: timer"],
    ["due", { kind: "lost" }, "held: cancel"],
    ["due", refused("expired"), "pausing: timer"],
    ["due", refused("revoked"), "pausing: timer"],
    ["due", refused("forbidden"), "asking: timer ask"],
    ["renewing", fetched("new"), "sent: timer send"],
    ["renewing", fetched("old"), "due: timer"],
    ["renewing", timer, "due: timer error"],
    ["renewing", { kind: "lost" }, "replacing:"],
    ["renewing", refused("expired"), "asking:"],
    ["replacing", { kind: "dialled" }, "renewing:"],
    ["asking", { kind: "look", sleptMs: 29_999 }, "asking:"],
    ["asking", { kind: "look", sleptMs: 30_000 }, "asking: timer ask"],
    ["pausing", { kind: "look", sleptMs: 0 }, "asking: timer ask"],
    ["held", { kind: "look", sleptMs: 60_000 }, "held:"],
    ["renewing", { kind: "look", sleptMs: 60_000 }, "renewing:"],
    ["replacing", fetched("new"), "held: cancel"],
    ["sent", { kind: "renewed", id: 6 }, "held: cancel"],
    ["sent", { kind: "renewed", id: 5 }, "sent:"],
    ["sent", rejected("forbidden", false, undefined, 5), "sent:"],
    ["sent", rejected("forbidden"), "doomed: cancel"],
    ["sent", refused("expired"), "held: cancel ready"],
    ["sent", refused("revoked"), "held: cancel ready"],
    ["sent", refused("forbidden"), "asking: timer ask"],
    ["doomed", refused("expired"), "ended: cancel end"],
  ])("%s, %j: %s", (phase, event, expected) => {
    expect(outcome(STATES[phase], event)).toBe(expected);
  });
});

describe("[S23] a token that is refused", () => {
  test.each([
    ["revoked", REFUSALS],
    ["expired", UNTIMELY_REFUSALS],
  ])("%s: is followed by another one each time, up to %d in a row", (code, most) => {
    let state: TokenState = { kind: "held", token: "t0", accepted: false, refusals: 0 };
    let refusals = 0;
    while (state.kind !== "ended") {
      refusals++;
      state = step(step(state, refused(code)).state, fetched(`t${refusals}`)).state;
    }

    expect(refusals).toBe(most);
  });

  test("[S26] because it ended in a sleep is replaced at once, since nobody else hears the same", () => {
    const taken: TokenState = { kind: "held", token: "old", accepted: true, refusals: 0 };
    const { effects } = stepToken(taken, refused("expired"), { random: 0.9, nextId: 7, spreadMs: 0, limits });

    expect(delayOf(effects)).toBe(0);
  });

  test("[S22] one that comes while a dial with the one before is under way isn't taken for what that carried", () => {
    const { state } = step(STATES.replacing, { kind: "dialled" });
    const after = step(state, fetched("new"));

    expect(after.effects.map(name)).toEqual(["timer", "send"]);
    expect(tokenOf(after.state)).toBe("old");
  });

  test("after it was taken doesn't count, if it only came to its end", () => {
    const taken: TokenState = { kind: "held", token: "old", accepted: true, refusals: 0 };

    expect(step(taken, refused("expired")).state).toMatchObject({ refusals: 0 });
    expect(step(taken, refused("revoked")).state).toMatchObject({ refusals: 1 });
  });

  test("because it was taken and is over, or revoked, is replaced within seconds, by chance, since all hear of it at once", () => {
    const taken: TokenState = { kind: "held", token: "old", accepted: true, refusals: 0 };
    for (const state of [taken, STATES.due])
      for (const code of ["revoked", "expired"]) {
        const steps = [0, 0.5, 0.999].map((random) => step(state, refused(code), random));

        expect(steps.map(({ effects }) => delayOf(effects))).toEqual([0, SPREAD_MS / 2, 0.999 * SPREAD_MS]);
        for (const { state, effects } of steps) {
          expect(effects.map(name)).toEqual(["timer"]);
          expect(tokenOf(state)).toBeUndefined();
          expect(outcome(state, timer)).toBe("asking: timer ask");
        }
      }
  });

  test("at the first dial, or for what is wrong with it, is replaced at once", () => {
    const first: TokenState = { kind: "held", token: "old", accepted: false, refusals: 0 };
    for (const code of TOKEN_CLOSES) expect(outcome(first, refused(code))).toBe("asking: timer ask");
    const taken: TokenState = { ...first, accepted: true };
    for (const code of TOKEN_CLOSES.filter((code) => code !== "revoked" && code !== "expired"))
      expect(outcome(taken, refused(code))).toBe("asking: timer ask");
  });

  test("is taken for a cookie if it was none: after its end there is one dial more", () => {
    const anonymous: TokenState = { kind: "held", token: "", accepted: true, refusals: 0 };

    const asking = step(step(anonymous, refused("expired")).state, timer).state;
    const again = step(asking, fetched("")).state;
    const last = step(step(again, refused("expired")).state, fetched("")).state;

    expect([again.kind, last.kind]).toEqual(["held", "ended"]);
    const never = step({ ...anonymous, accepted: false }, refused("no_token")).state;
    expect(step(never, fetched("")).state.kind).toBe("ended");
  });

  test("may be what a question that was put before is answered with: then there is another question", () => {
    const shared = step(STATES.renewing, refused("expired")).state;
    const again = step(shared, fetched("old"));

    expect(again.effects.map(name)).toEqual(["timer", "ask"]);
    expect(step(again.state, fetched("old")).effects.at(-1)).toMatchObject({
      kind: "end",
      error: { code: "expired", retry: false },
    });
  });

  test("by a close or an answer of any of its codes, and of no other", () => {
    const names = Object.entries(CLOSE).flatMap(([name, code]) => (tokenClose(code) === name ? [name] : []));

    expect(names.sort()).toEqual([...TOKEN_CLOSES].sort());
    for (const code of [1000, 1006, 4000, CLOSE.unknown_topic, CLOSE.forbidden_origin])
      expect(tokenClose(code)).toBeUndefined();
  });
});

describe("[S22] a renewal", () => {
  test("begins within the first half of what is left, whichever the chance", () => {
    const delays = [0, 0.5, 0.999].map((random) => delayOf(step(STATES.held, expires, random).effects));

    expect(delays).toEqual([0, 15_000, 29_970]);
    const years = step(STATES.held, { kind: "expires", inMs: 1e12 }, 0.999).effects;
    expect(delayOf(years)).toBeLessThan(2 ** 31);
  });

  test("that waits begins in time for the margin of a revocation", () => {
    const tired: TokenState = { kind: "due", token: "old", tries: 9 };

    expect(step(tired, { kind: "expires", inMs: 10_000 }, 0.999)).toEqual({
      state: tired,
      effects: [{ kind: "schedule", afterMs: 4_995 }],
    });
  });

  test("is sent with the socket's next id, and the new token counts once it was taken", () => {
    const { state, effects } = step(STATES.renewing, fetched("new"));

    expect(effects.at(-1)).toEqual({ kind: "send", id: 7, token: "new" });
    expect(tokenOf(state)).toBe("old");
    expect(tokenOf(step(state, { kind: "renewed", id: 7 }).state)).toBe("new");
    expect(tokenOf(step(state, rejected("forbidden", false, undefined, 7)).state)).toBe("old");
  });

  test.each([
    ["rate_limited", true, 20_000, 20_000],
    ["unavailable", true, undefined, 1_500],
    ["expired", false, undefined, 1_500],
    ["not_yet_valid", false, undefined, 1_500],
    ["revoked", false, undefined, 1_500],
    ["unsupported", false, undefined, 1_500],
  ])("that is answered with %s is tried again later", (code, retry, retryAfterMs, delay) => {
    const { state, effects } = step(STATES.sent, rejected(code, retry, retryAfterMs));

    expect(state).toEqual({ kind: "due", token: "old", tries: 1 });
    expect(delayOf(effects)).toBe(delay);
  });

  test("of a user that has signed out isn't sent, and ends nothing", () => {
    expect(outcome(STATES.renewing, fetched(""))).toBe("due: timer");
    expect(tokenOf(step(STATES.replacing, fetched("")).state)).toBe("old");
  });

  test("that was refused for good is the error with which all ends, if the token comes to its end", () => {
    const doomed: TokenState = { kind: "doomed", token: "old", error: error("wrong_audience") };

    const codeAfter = (code: string) =>
      step(doomed, refused(code)).effects.flatMap((e) => (e.kind === "end" ? [e.error.code] : []));
    expect(codeAfter("expired")).toEqual(["wrong_audience"]);
    expect(codeAfter("revoked")).toEqual(["revoked"]);
    for (const event of [expires, { kind: "lost" }, { kind: "dialled" }, fetched("new")] as const)
      expect(step(doomed, event)).toEqual({ state: doomed, effects: [] });
  });

  test("is tried ever more rarely, but for ever", () => {
    let state: TokenState = STATES.renewing;
    const delays = Array.from({ length: 12 }, () => {
      const { state: due, effects } = step(state, fetched("old"), 0.999);
      state = step(due, timer).state;
      return Math.round(delayOf(effects) ?? 0);
    });

    expect(delays.slice(0, 5)).toEqual([1_999, 2_998, 4_996, 8_992, 16_984]);
    expect(delays.slice(5)).toEqual(Array(7).fill(30_970));
  });
});

describe("[S24] a source that fails", () => {
  test("is asked again and again with growing pauses, until it has failed too often in a row", () => {
    let state: TokenState = step(INITIAL_TOKEN, { kind: "start" }).state;
    let passed = 0;
    let asked = 1;
    for (;;) {
      const { state: after, effects } = step(state, { kind: "failed", problem: "no network" });
      state = after;
      const last = effects.at(-1);
      if (last?.kind === "end") {
        expect(last.error).toMatchObject({ code: "token_source", retry: false });
        break;
      }
      expect(last).toMatchObject({ kind: "error", error: { code: "token_source", retry: true } });
      passed += delayOf(effects) ?? 0;
      state = step(state, timer).state;
      asked++;
    }

    expect(asked).toBe(SOURCE_FAILURES);
    expect(passed / 60_000).toBeGreaterThan(45);
    expect(passed / 60_000).toBeLessThan(75);
  });

  test("counts anew once it has answered", () => {
    const pausing: TokenState = { kind: "pausing", refused: undefined, refusals: 0, failures: 150 };
    const held = step(pausing, fetched("new")).state;

    expect(step(held, refused("expired")).state).toMatchObject({ kind: "asking", failures: 0 });
  });
});
