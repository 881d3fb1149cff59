/**
 * The connection of a subscription: when to dial, how long to wait before dialling again, and whether the
 * other end is still there (S8, S10, C3). Pure: the shell performs the effects and says what happened.
 *
 *   idle ──▶ connecting ──▶ open ◀──▶ probing
 *                ▲  │         │          │
 *                │  ▼         ▼          ▼
 *              backingOff ◀──────────────┤        closed: from everywhere, for good
 *                ▲                       ▼
 *                └──── start ───────── barred     until there is another token
 */
import { backoff } from "../core/backoff.ts";
import { mayReconnect, readCloseReason, tokenClose } from "../protocol/codes.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import type {
  ConnectionContext,
  ConnectionEffect,
  ConnectionEvent,
  ConnectionPayloads,
  ConnectionPhase,
  ConnectionState,
  ConnectionStep,
} from "./connection-terms.ts";
import { isTokenError } from "./token-terms.ts";

type Handler<K extends keyof ConnectionPayloads> = (
  state: ConnectionState,
  event: ConnectionEvent<K>,
  context: ConnectionContext,
) => ConnectionStep;

type Row = { readonly [K in keyof ConnectionPayloads]: Handler<K> };

export const INITIAL_CONNECTION: ConnectionState = {
  phase: "idle",
  attempt: 0,
  // Nothing is known of the address yet: the first dial that fails is asked about.
  explainAt: 0,
  dialAt: 0,
  answerBy: 0,
  isWaking: false,
  notBefore: 0,
  openedAt: 0,
  heardAt: 0,
};

/** Whoever asks for more than this has made a mistake, or means harm. */
const LONGEST_PUT_OFF_MS = 5 * 60_000;

/** So many dials after a sleep aren't put off: one that finds the token has ended, and one with another. */
const AT_ONCE = 2;

const ignore = (state: ConnectionState): ConnectionStep => ({ state, effects: [] });

function dial(state: ConnectionState, _: unknown, { now, limits }: ConnectionContext): ConnectionStep {
  return {
    state: { ...state, phase: "connecting", dialAt: now },
    effects: [
      { kind: "dial" },
      { kind: "schedule", afterMs: limits.connectMs },
      { kind: "changed", state: "connecting" },
    ],
  };
}

/** Says something at once, so that a close from the edge is heard of in time (S11). */
function opened(
  state: ConnectionState,
  { way }: ConnectionEvent<"opened">,
  { now, limits }: ConnectionContext,
): ConnectionStep {
  return {
    state: { ...state, phase: "open", explainAt: undefined, notBefore: 0, openedAt: now, heardAt: now },
    effects: [
      { kind: "ping" },
      { kind: "schedule", afterMs: limits.quietMs },
      { kind: "changed", state: "open", way },
    ],
  };
}

/** Touches no timer, since this happens for every message; `quiet` looks at the time. */
function heard(state: ConnectionState, _: unknown, { now }: ConnectionContext): ConnectionStep {
  return { state: { ...state, phase: "open", isWaking: false, heardAt: now }, effects: [] };
}

function quiet(state: ConnectionState, _: unknown, { now, limits }: ConnectionContext): ConnectionStep {
  const left = state.heardAt + limits.quietMs - now;
  if (left > 0) return { state, effects: [{ kind: "schedule", afterMs: left }] };
  return probe(state, limits.silenceMs, now);
}

function probe(state: ConnectionState, withinMs: number, now: number): ConnectionStep {
  return {
    state: { ...state, phase: "probing", answerBy: now + withinMs },
    effects: [{ kind: "ping" }, { kind: "schedule", afterMs: withinMs }],
  };
}

/** A machine that has slept, or has another network, may have a socket of which nobody tells that it is none any more. */
const lookOpen = (
  state: ConnectionState,
  { sleptMs }: ConnectionEvent<"look">,
  { now, limits }: ConnectionContext,
): ConnectionStep => probe(waking(state, sleptMs), limits.lookMs, now);

/** What failed before a sleep says nothing of now. */
const waking = (state: ConnectionState, sleptMs: number): ConnectionState =>
  sleptMs > 0 ? { ...state, isWaking: true, attempt: 0 } : state;

/** However often one looks, it isn't given more time by that. */
const lookProbing = (
  state: ConnectionState,
  { sleptMs }: ConnectionEvent<"look">,
  { now, limits }: ConnectionContext,
): ConnectionStep =>
  probe(waking(state, sleptMs), Math.max(0, Math.min(state.answerBy - now, limits.lookMs)), now);

/** A dial from before a sleep comes to nothing; one that was just made is waited for, and if it fails the next one follows soon. */
function lookConnecting(
  state: ConnectionState,
  { sleptMs }: ConnectionEvent<"look">,
  context: ConnectionContext,
): ConnectionStep {
  const { now, limits } = context;
  if (now - state.dialAt + sleptMs < limits.lookMs) return ignore({ ...state, attempt: 0 });
  const { state: next, effects } = dial(waking(state, sleptMs), undefined, context);
  return { state: next, effects: [{ kind: "hangUp" }, ...effects] };
}

/** The next dial is due then. */
const putBack = (state: ConnectionState, retryMs: number, now: number): ConnectionStep => ({
  state: { ...state, dialAt: now + retryMs },
  effects: [
    { kind: "schedule", afterMs: retryMs },
    { kind: "changed", state: "backingOff", retryMs },
  ],
});

/** Soon, as after a connection that was good; but not sooner than whoever put it off has said. */
function lookBackingOff(
  state: ConnectionState,
  { sleptMs }: ConnectionEvent<"look">,
  { now, random, limits }: ConnectionContext,
): ConnectionStep {
  const spreadMs = sleptMs > 0 ? 0 : backoff(0, limits.backoff, random);
  const retryMs = Math.max(0, state.notBefore - now) + spreadMs;
  const awake = waking(state, sleptMs);
  return now + retryMs < state.dialAt ? putBack(awake, retryMs, now) : ignore(awake);
}

/**
 * What the edge refuses it says by a close; but what stands before the edge may refuse a dial, too, and of that a page isn't
 * told the reason. So it is asked for: not at once after a good connection, since most outages are short.
 */
function failed(
  state: ConnectionState,
  { code, reason }: ConnectionEvent<"dropped">,
  context: ConnectionContext,
): ConnectionStep {
  if (!mayReconnect(code)) return refusedByClose(state, code, reason, context);
  const { now, limits } = context;
  const asks = state.explainAt !== undefined && now >= state.explainAt;
  const explainAt = asks ? now + limits.explainMs : (state.explainAt ?? now + limits.explainMs);
  return backOff({ ...state, explainAt }, asks ? [{ kind: "explain" }] : [], code, reason, context);
}

function dropped(
  state: ConnectionState,
  { code, reason }: ConnectionEvent<"dropped">,
  context: ConnectionContext,
): ConnectionStep {
  if (!mayReconnect(code)) return refusedByClose(state, code, reason, context);
  return backOff(state, [], code, reason, context);
}

/** The same would happen again (C3), or would with the same token. */
function refusedByClose(
  state: ConnectionState,
  code: number,
  reason: string,
  context: ConnectionContext,
): ConnectionStep {
  const { name, sentence } = readCloseReason(reason);
  const ofToken = tokenClose(code);
  const error = { code: ofToken ?? name, message: sentence, retry: false };
  return ofToken === undefined
    ? end(state, [{ kind: "error", error }], code, reason)
    : bar(state, [], error, code, reason, context);
}

/** Telling of the refusal comes last: its answer may be the next event. */
function bar(
  state: ConnectionState,
  before: readonly ConnectionEffect[],
  error: ErrorBody,
  code: number | undefined,
  reason: string,
  context: ConnectionContext,
): ConnectionStep {
  return {
    state: { ...state, phase: "barred", attempt: attemptsOf(state, context) },
    effects: [
      ...before,
      { kind: "cancel" },
      { kind: "changed", state: "backingOff", code, reason },
      { kind: "tokenRefused", error },
    ],
  };
}

const abandon = (state: ConnectionState, _: unknown, context: ConnectionContext): ConnectionStep =>
  backOff(state, [{ kind: "hangUp" }], undefined, "the dial took too long", context);

/** If this is late itself, an answer may lie here unread. */
function unheard(state: ConnectionState, _: unknown, context: ConnectionContext): ConnectionStep {
  const { now, limits } = context;
  return now - state.answerBy < limits.lookMs
    ? backOff(state, [{ kind: "hangUp" }], undefined, "nothing was heard", context)
    : probe(state, limits.lookMs, now);
}

function reconnect(
  state: ConnectionState,
  { reason }: ConnectionEvent<"reconnect">,
  context: ConnectionContext,
): ConnectionStep {
  return backOff(state, [{ kind: "hangUp" }], undefined, reason, context);
}

/** The delay grows until a connection lasts, so that one that is accepted and dropped at once isn't a storm. */
function backOff(
  state: ConnectionState,
  before: readonly ConnectionEffect[],
  code: number | undefined,
  reason: string,
  context: ConnectionContext,
): ConnectionStep {
  const { now, random, limits } = context;
  const attempt = attemptsOf(state, context);
  const isAtOnce = state.isWaking && attempt < AT_ONCE;
  const spreadMs = isAtOnce ? 0 : backoff(attempt, limits.backoff, random);
  const retryMs = Math.max(0, state.notBefore - now) + spreadMs;
  return {
    state: { ...state, phase: "backingOff", attempt: attempt + 1, dialAt: now + retryMs },
    effects: [
      ...before,
      { kind: "schedule", afterMs: retryMs },
      { kind: "changed", state: "backingOff", code, reason, retryMs },
    ],
  };
}

function attemptsOf(state: ConnectionState, { now, limits }: ConnectionContext): number {
  const wasOpen = state.phase === "open" || state.phase === "probing";
  return wasOpen && now - state.openedAt >= limits.steadyMs ? 0 : state.attempt;
}

const comeBack = (state: ConnectionState, _: unknown, context: ConnectionContext): ConnectionStep =>
  backOff(state, [], undefined, "there is another token", context);

/**
 * All who were put off were told the same time, so each adds a delay of its own. The answer may come when the next dial is
 * under way already: should that fail, too, it holds for the one after it.
 */
function putOff(
  state: ConnectionState,
  { afterMs }: ConnectionEvent<"putOff">,
  { now, random, limits }: ConnectionContext,
): ConnectionStep {
  const notBefore = now + Math.min(afterMs, LONGEST_PUT_OFF_MS);
  if (state.phase !== "backingOff" || notBefore <= state.dialAt)
    return { state: { ...state, notBefore }, effects: [] };
  const retryMs = notBefore - now + backoff(state.attempt, limits.backoff, random);
  return putBack({ ...state, notBefore }, retryMs, now);
}

function end(
  state: ConnectionState,
  before: readonly ConnectionEffect[],
  code: number | undefined,
  reason: string,
): ConnectionStep {
  return {
    state: { ...state, phase: "closed" },
    effects: [...before, { kind: "cancel" }, { kind: "changed", state: "closed", code, reason }],
  };
}

const stop = (state: ConnectionState, { reason }: ConnectionEvent<"close">): ConnectionStep =>
  end(state, [], undefined, reason);

const hangUp = (state: ConnectionState, { reason }: ConnectionEvent<"close">): ConnectionStep =>
  end(state, [{ kind: "hangUp" }], undefined, reason);

const refused = (
  state: ConnectionState,
  { error }: ConnectionEvent<"refused">,
  context: ConnectionContext,
): ConnectionStep =>
  isTokenError(error)
    ? bar(state, [{ kind: "hangUp" }], error, undefined, error.code, context)
    : end(state, [{ kind: "hangUp" }, { kind: "error", error }], undefined, error.code);

const giveUp = (state: ConnectionState, { error }: ConnectionEvent<"noToken">): ConnectionStep =>
  end(state, [{ kind: "error", error }], undefined, error.code);

const NOTHING_HAPPENS = {
  start: ignore,
  opened: ignore,
  heard: ignore,
  dropped: ignore,
  timer: ignore,
  look: ignore,
  reconnect: ignore,
  refused: ignore,
  putOff: ignore,
  noToken: ignore,
  close: ignore,
} as const satisfies Row;

/**
 * Every event in every phase. What comes late from a socket that was hung up, or from a timer that was
 * cancelled, looks like what comes from the present one: the shell lets neither through.
 */
const TABLE = {
  idle: { ...NOTHING_HAPPENS, start: dial, noToken: giveUp, close: stop },
  connecting: {
    start: ignore,
    opened,
    heard: ignore,
    dropped: failed,
    timer: abandon,
    look: lookConnecting,
    reconnect,
    refused,
    putOff,
    noToken: ignore,
    close: hangUp,
  },
  open: {
    start: ignore,
    opened: ignore,
    heard,
    dropped,
    timer: quiet,
    look: lookOpen,
    reconnect,
    // The answer to an older question: by now the address has turned out to be good.
    refused: ignore,
    putOff: ignore,
    noToken: ignore,
    close: hangUp,
  },
  probing: {
    start: ignore,
    opened: ignore,
    heard,
    dropped,
    timer: unheard,
    look: lookProbing,
    reconnect,
    refused: ignore,
    putOff: ignore,
    noToken: ignore,
    close: hangUp,
  },
  backingOff: {
    start: ignore,
    opened: ignore,
    heard: ignore,
    dropped: ignore,
    timer: dial,
    look: lookBackingOff,
    reconnect: ignore,
    refused,
    putOff,
    noToken: ignore,
    close: stop,
  },
  barred: { ...NOTHING_HAPPENS, start: comeBack, noToken: giveUp, close: stop },
  closed: NOTHING_HAPPENS,
} as const satisfies Record<ConnectionPhase, Row>;

export function stepConnection<K extends keyof ConnectionPayloads>(
  state: ConnectionState,
  event: ConnectionEvent<K>,
  context: ConnectionContext,
): ConnectionStep {
  const row: Row = TABLE[state.phase];
  const handler: Handler<K> = row[event.kind];
  return handler(state, event, context);
}
