/**
 * The token of a subscription: when its source is asked, when a token is renewed on the open socket, and when no other
 * token will do (S21–S23). Pure: the shell performs the effects and says what happened.
 *
 *   unasked ─▶ asking ◀──▶ pausing          no dial is made: there is no token to dial with
 *                │  ▲
 *        fetched ▼  │ refused
 *               held ──expires──▶ due ◀──▶ renewing ──▶ sent ──▶ held     the socket is open
 *                ▲                 │          │ ▲          │
 *                │ lost            ▼     lost ▼ │ dialled  ├──▶ doomed    stays until its end
 *                └─────────────────┴────── replacing       ▼
 *                                                         due             ended: from all, for good
 *
 * No time of day is looked at: the edge says how long a token has left, so it doesn't matter whether this clock is right.
 */
import { type BackoffBounds, backoff } from "../core/backoff.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import {
  isTokenError,
  type Lack,
  type Refusal,
  type TokenContext,
  type TokenEvent,
  type TokenPayloads,
  type TokenPhase,
  type TokenState,
  type TokenStep,
} from "./token-terms.ts";

type Of<P extends TokenPhase> = Extract<TokenState, { readonly kind: P }>;

type Handler<S extends TokenState, K extends keyof TokenPayloads> = (
  state: S,
  event: TokenEvent<K>,
  context: TokenContext,
) => TokenStep;

type Row<P extends TokenPhase> = { readonly [K in keyof TokenPayloads]: Handler<Of<P>, K> };

/** Before a source is asked again, and before a renewal is tried again: a second, and by chance up to so much more. */
const PAUSE_MS = 1_000;
const PAUSE: BackoffBounds = { baseMs: 1_000, maxMs: 30_000 };

/** All whose tokens are revoked hear of it at once, as do those whose tokens end together: over so long they ask their sources. */
export const SPREAD_MS = 3_000;

/** So often in a row a source may fail: that takes about an hour. */
export const SOURCE_FAILURES = 200;

/** So many tokens in a row may be refused; more of those that only came at the wrong time, since that may be chance. */
export const REFUSALS = 2;
export const UNTIMELY_REFUSALS = 5;

/** A notice of more than this is one of this: timers can't wait for weeks. */
const LONGEST_NOTICE_MS = 24 * 3_600_000;

export const INITIAL_TOKEN: TokenState = { kind: "unasked" };

/** What dials carry; undefined: there must be none now. */
export function tokenOf(state: TokenState): string | undefined {
  return "token" in state ? state.token : undefined;
}

const isUntimely = ({ code }: ErrorBody) => code === "expired" || code === "not_yet_valid";

const ignore = (state: TokenState): TokenStep => ({ state, effects: [] });

/** What may call back comes last, so that nothing is left to be done then. */
function ask(state: Of<"asking" | "renewing">, { limits }: TokenContext): TokenStep {
  return { state, effects: [{ kind: "schedule", afterMs: limits.sourceMs }, { kind: "ask" }] };
}

function end(error: ErrorBody): TokenStep {
  return {
    state: { kind: "ended" },
    effects: [{ kind: "cancel" }, { kind: "end", error: { ...error, retry: false } }],
  };
}

const close = (): TokenStep => ({ state: { kind: "ended" }, effects: [{ kind: "cancel" }] });

const pause = (tries: number, random: number) => PAUSE_MS + backoff(tries, PAUSE, random);

const NOTHING_REFUSED: Lack = { refused: undefined, refusals: 0, failures: 0 };

const start: Handler<Of<"unasked">, "start"> = (_, __, context) =>
  ask({ kind: "asking", shared: false, ...NOTHING_REFUSED }, context);

/** A dial with the token that was just refused would come to nothing, so a source that has no other is the end. */
const fetched: Handler<Of<"asking" | "pausing">, "fetched"> = (state, { token }, context) => {
  const { refused, refusals } = state;
  if (token !== refused?.token) return hold(token, refusals);
  if (state.kind === "asking" && state.shared) return ask({ ...state, shared: false }, context);
  // Without a token it may have been a cookie, and there may be another by now.
  const isAnotherCookie = token === "" && refused.error.code === "expired" && refusals === 0;
  return isAnotherCookie ? hold(token, 1) : end(refused.error);
};

function hold(token: string, refusals: number): TokenStep {
  return {
    state: { kind: "held", token, accepted: false, refusals },
    effects: [{ kind: "cancel" }, { kind: "ready" }],
  };
}

function fail({ refused, refusals, failures }: Lack, problem: string, random: number): TokenStep {
  const error = sourceError(problem);
  if (failures + 1 >= SOURCE_FAILURES) return end(error);
  return {
    state: { kind: "pausing", refused, refusals, failures: failures + 1 },
    effects: [
      { kind: "schedule", afterMs: pause(failures, random) },
      { kind: "error", error },
    ],
  };
}

const sourceError = (problem: string): ErrorBody => ({
  code: "token_source",
  message: `the source of tokens failed: ${problem}`,
  retry: true,
});

const NO_ANSWER = "it did not answer in time";

/** The edge refused `token` where it dialled or was connected with it. `accepted`: it had taken it before. */
function refuse(refused: Refusal, accepted: boolean, refusals: number, context: TokenContext): TokenStep {
  if (isTooMany(refused.error, refusals)) return end(refused.error);
  const lack: Lack = { refused, refusals, failures: 0 };
  return accepted && isOver(refused.error)
    ? {
        state: { kind: "pausing", ...lack },
        effects: [{ kind: "schedule", afterMs: context.random * context.spreadMs }],
      }
    : ask({ kind: "asking", shared: false, ...lack }, context);
}

const isOver = ({ code }: ErrorBody) => code === "expired" || code === "revoked";

const isTooMany = (error: ErrorBody, refusals: number) =>
  refusals >= (isUntimely(error) ? UNTIMELY_REFUSALS : REFUSALS);

/** That a token which was accepted comes to its end is no refusal. */
const countOf = (error: ErrorBody, accepted: boolean, before = 0) =>
  accepted && error.code === "expired" ? 0 : before + 1;

const refusedHeld: Handler<Of<"held">, "refused"> = ({ token, accepted, refusals }, { error }, context) =>
  refuse({ token, error }, accepted, countOf(error, accepted, refusals), context);

const refusedDue: Handler<Of<"due">, "refused"> = ({ token }, { error }, context) =>
  refuse({ token, error }, true, countOf(error, true), context);

/** The source was asked already: its answer is waited for, and the timer that runs stays. */
const refusedAsked: Handler<Of<"renewing" | "replacing">, "refused"> = ({ token }, { error }) => {
  const lack = { refused: { token, error }, refusals: countOf(error, true), failures: 0 };
  return { state: { kind: "asking", shared: true, ...lack }, effects: [] };
};

/**
 * An answer to the renewal would have come before the close. So the edge had the present token still, of which the time was
 * over, or the margin (S25), and the new one may do; if it was anything else, that was the new token's fault.
 */
const refusedSent: Handler<Of<"sent">, "refused"> = ({ next }, { error }, context) =>
  isOver(error) ? hold(next, 0) : refuse({ token: next, error }, false, 1, context);

const refusedDoomed: Handler<Of<"doomed">, "refused"> = (state, { error }) =>
  end(error.code === "expired" ? state.error : error);

const accept: Handler<Of<"held">, "accepted"> = ({ token }) => ({
  state: { kind: "held", token, accepted: true, refusals: 0 },
  effects: [],
});

/** Well before the end, and not all at once whose tokens end together. */
const halfOf = (inMs: number, random: number) => (random * Math.min(inMs, LONGEST_NOTICE_MS)) / 2;

const expires: Handler<Of<"held">, "expires"> = ({ token }, { inMs }, { random }) => ({
  state: { kind: "due", token, tries: 0 },
  effects: [{ kind: "schedule", afterMs: halfOf(inMs, random) }],
});

/** It was revoked since, and has less left (S25). */
const expiresSooner: Handler<Of<"due">, "expires"> = (state, { inMs }, { random }) => ({
  state,
  effects: [{ kind: "schedule", afterMs: halfOf(inMs, random) }],
});

const renew: Handler<Of<"due">, "timer"> = ({ token, tries }, _, context) =>
  ask({ kind: "renewing", token, tries }, context);

/** A source that caches may have no other token yet, and one whose user has signed out has none. */
const replaceInBand: Handler<Of<"due" | "renewing">, "fetched"> = (state, { token: next }, context) => {
  const { token, tries } = state;
  if (next === token || next === "") return later(state, context);
  const { nextId: id, limits } = context;
  return {
    state: { kind: "sent", token, next, id, tries },
    effects: [
      { kind: "schedule", afterMs: limits.renewalMs },
      { kind: "send", id, token: next },
    ],
  };
};

function later(
  { token, tries }: { readonly token: string; readonly tries: number },
  { random }: TokenContext,
  error?: ErrorBody,
): TokenStep {
  const afterMs = Math.max(pause(tries, random), error?.retryAfterMs ?? 0);
  return { state: { kind: "due", token, tries: tries + 1 }, effects: [{ kind: "schedule", afterMs }] };
}

function failInBand(state: Of<"renewing">, problem: string, context: TokenContext): TokenStep {
  const { state: due, effects } = later(state, context);
  return { state: due, effects: [...effects, { kind: "error", error: sourceError(problem) }] };
}

const renewed: Handler<Of<"sent">, "renewed"> = (state, { id }) =>
  id === state.id
    ? {
        state: { kind: "held", token: state.next, accepted: true, refusals: 0 },
        effects: [{ kind: "cancel" }],
      }
    : ignore(state);

/**
 * The present token is as good as it was, so the subscription goes on for as long as that lasts. A source whose tokens were
 * revoked may have another one soon: who revokes with a margin means that.
 */
const rejected: Handler<Of<"sent">, "rejected"> = (state, { id, error }, context) => {
  if (id !== state.id) return ignore(state);
  if (!isTokenError(error) || isUntimely(error) || error.code === "revoked")
    return later(state, context, error);
  return { state: { kind: "doomed", token: state.token, error }, effects: [{ kind: "cancel" }] };
};

/** On the next socket the edge says again how long it has left. */
function keep(token: string, accepted: boolean): TokenStep {
  return { state: { kind: "held", token, accepted, refusals: 0 }, effects: [{ kind: "cancel" }] };
}

/** A token that is refused after a sleep isn't one more in a row: much may have happened to it meanwhile. */
const awake = <S extends { readonly refusals: number }>(state: S, sleptMs: number): S =>
  sleptMs > 0 ? { ...state, refusals: 0 } : state;

/** A question from before a sleep that was longer than an answer may take has none to come. */
const lookAsking: Handler<Of<"asking">, "look"> = (state, { sleptMs }, context) =>
  sleptMs >= context.limits.sourceMs ? ask(awake(state, sleptMs), context) : ignore(awake(state, sleptMs));

/** What a source lacked it may have now. */
const lookPausing: Handler<Of<"pausing">, "look"> = (state, { sleptMs }, context) =>
  ask({ ...awake(state, sleptMs), kind: "asking", shared: false }, context);

const lookHeld: Handler<Of<"held">, "look"> = (state, { sleptMs }) => ignore(awake(state, sleptMs));

const NOTHING_HAPPENS = {
  start: ignore,
  fetched: ignore,
  failed: ignore,
  timer: ignore,
  look: ignore,
  dialled: ignore,
  lost: ignore,
  accepted: ignore,
  expires: ignore,
  renewed: ignore,
  rejected: ignore,
  refused: ignore,
  close: ignore,
} as const;

/** Every event in every state. An answer of the source that comes after its time is taken all the same where one is wanted. */
const TABLE: { readonly [P in TokenPhase]: Row<P> } = {
  unasked: { ...NOTHING_HAPPENS, start, close },
  asking: {
    ...NOTHING_HAPPENS,
    fetched,
    failed: (state, { problem }, { random }) => fail(state, problem, random),
    timer: (state, _, { random }) => fail(state, NO_ANSWER, random),
    look: lookAsking,
    close,
  },
  pausing: {
    ...NOTHING_HAPPENS,
    fetched,
    timer: (state, _, context) => ask({ ...state, kind: "asking", shared: false }, context),
    look: lookPausing,
    close,
  },
  held: { ...NOTHING_HAPPENS, accepted: accept, expires, refused: refusedHeld, look: lookHeld, close },
  due: {
    ...NOTHING_HAPPENS,
    fetched: replaceInBand,
    timer: renew,
    expires: expiresSooner,
    lost: ({ token }) => keep(token, true),
    refused: refusedDue,
    close,
  },
  renewing: {
    ...NOTHING_HAPPENS,
    fetched: replaceInBand,
    failed: (state, { problem }, context) => failInBand(state, problem, context),
    timer: (state, _, context) => failInBand(state, NO_ANSWER, context),
    lost: (state) => ignore({ ...state, kind: "replacing" }),
    refused: refusedAsked,
    close,
  },
  replacing: {
    ...NOTHING_HAPPENS,
    fetched: ({ token: before }, { token }) =>
      token === before || token === "" ? keep(before, true) : keep(token, false),
    failed: ({ token }) => keep(token, true),
    timer: ({ token }) => keep(token, true),
    dialled: (state) => ignore({ ...state, kind: "renewing" }),
    refused: refusedAsked,
    close,
  },
  sent: {
    ...NOTHING_HAPPENS,
    timer: (state, _, context) => later(state, context),
    lost: ({ next }) => keep(next, false),
    renewed,
    rejected,
    refused: refusedSent,
    close,
  },
  doomed: { ...NOTHING_HAPPENS, refused: refusedDoomed, close },
  ended: NOTHING_HAPPENS,
};

export function stepToken<K extends keyof TokenPayloads>(
  state: TokenState,
  event: TokenEvent<K>,
  context: TokenContext,
): TokenStep {
  // The row is that of the state, which TypeScript can't follow.
  const row = TABLE[state.kind] as Row<TokenPhase>;
  const handler: Handler<TokenState, K> = row[event.kind];
  return handler(state, event, context);
}
