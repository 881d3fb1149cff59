/**
 * What a receiver of one endpoint knows and does: where it is, whether what comes continues that (P5), and
 * when to ask again. Pure: the shell performs the effects and says what happened.
 *
 *             asked              verdict            reached head
 *   away ──────────────▶ asked ──────────▶ catchingUp ──────────▶ live
 *    ▲                     │ wait ▲ verdict     │                   │
 *    │                     ▼      │             │                   │
 *    │                    waiting               │                   │
 *    └──────────────────────┴───────────────────┴───────────────────┘      ended: from all, for good
 *      lost, or to be asked again
 *
 * How it is asked is the shell's: by the URL of a socket of its own, or by a frame on one that is shared.
 */
import { classify } from "../core/continuity.ts";
import type { Verdict } from "../protocol/down.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import type { Chained } from "../protocol/position.ts";
import { NOTHING, type Position, reaches, withComponent } from "../protocol/position.ts";

export type SubscriptionPhase = "away" | "asked" | "waiting" | "catchingUp" | "live" | "ended";

/** Counts since the subscription began. */
export interface Statistics {
  /** Updates that were taken and passed on. */
  readonly received: number;
  /** Updates that had been received before, and were dropped. */
  readonly duplicates: number;
  /** Updates before which something was missing, or that could not be read: dropped, and asked for again. */
  readonly holes: number;
  /** Times that continuity was lost; each was announced. */
  readonly gaps: number;
  /** Times that a subscribe from a position went on from there with nothing missing. */
  readonly resumes: number;
}

export interface SubscriptionState {
  readonly phase: SubscriptionPhase;
  /** Of the last subscribe on this socket. */
  readonly id: number;
  /** undefined: receive from the latest update on. */
  readonly position: Position | undefined;
  /** What must be reached to have caught up. */
  readonly head: Position;
  /** How often in a row asking again has led to another hole without an update in between. */
  readonly fruitless: number;
  readonly statistics: Statistics;
}

/**
 * Why continuity was lost: R4, or `broken` where the edge repeatedly sent what does not continue the position. Later
 * versions of the edge may know other causes.
 */
export type GapCause = string;

interface Payloads<U extends Chained> {
  /** A subscribe from the position was sent: with a socket that opened, or on one that is open. */
  asked: { readonly id: number };
  /** The socket is gone, or may be of no use. */
  lost: object;
  verdict: { readonly id: number; readonly verdict: Verdict };
  wait: { readonly id: number; readonly error: ErrorBody };
  /** An error, in answer to a subscribe if it has its id. */
  refused: { readonly id: number | undefined; readonly error: ErrorBody };
  /** The edge ended the subscription, which had its verdict, and the socket lives on (M8). */
  dismissed: { readonly error: ErrorBody };
  reset: { readonly verdict: Verdict };
  update: { readonly update: U };
  /** A frame that can't be read (F9). */
  unreadable: object;
  /** The timer that the last `schedule` set. */
  timer: object;
  close: object;
}

type Kind = keyof Payloads<Chained>;

export type SubscriptionEvent<U extends Chained, K extends Kind = Kind> = {
  [P in K]: { readonly kind: P } & Payloads<U>[P];
}[K];

export type SubscriptionEffect<U extends Chained> =
  /** Something is missing: ask from the position, and say `asked` when that is sent. */
  | { readonly kind: "ask" }
  /** `position` is the receiver's after this update. */
  | { readonly kind: "deliver"; readonly update: U; readonly position: Position }
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  /** Something between `from` and `position` may be missing; without `position` the next verdict brings one. */
  | {
      readonly kind: "gap";
      readonly cause: GapCause | undefined;
      readonly from: Position | undefined;
      readonly position: Position | undefined;
    }
  | { readonly kind: "live" }
  | { readonly kind: "wait"; readonly error: ErrorBody }
  /** It led nowhere: ask again after a while. `error`: what the edge said. */
  | { readonly kind: "retry"; readonly reason: string; readonly error: ErrorBody | undefined }
  /** The edge says that the subscribe will never do. */
  | { readonly kind: "end"; readonly reason: string }
  /** Sets the one timer; the one before it is cancelled. */
  | { readonly kind: "schedule"; readonly afterMs: number }
  | { readonly kind: "cancel" };

export interface SubscriptionLimits {
  /** A subscribe that got neither verdict nor `wait` for so long will get none on this socket; milliseconds. */
  readonly answerMs: number;
}

export interface SubscriptionStep<U extends Chained> {
  readonly state: SubscriptionState;
  readonly effects: readonly SubscriptionEffect<U>[];
}

type Handler<K extends Kind> = <U extends Chained>(
  state: SubscriptionState,
  event: SubscriptionEvent<U, K>,
  limits: SubscriptionLimits,
) => SubscriptionStep<U>;

type Row = { readonly [K in Kind]: Handler<K> };

/** So often it is asked again from one position; then what lies there is given up, and that is announced. */
export const FRUITLESS_LIMIT = 5;

export function initialSubscription(from: Position | undefined): SubscriptionState {
  const statistics = { received: 0, duplicates: 0, holes: 0, gaps: 0, resumes: 0 };
  return { phase: "away", id: 0, position: from, head: NOTHING, fruitless: 0, statistics };
}

const ignore = (state: SubscriptionState) => ({ state, effects: [] });

function count(state: SubscriptionState, what: keyof Statistics): Statistics {
  return { ...state.statistics, [what]: state.statistics[what] + 1 };
}

const asked: Handler<"asked"> = (state, { id }, { answerMs }) => ({
  state: { ...state, phase: "asked", id },
  effects: [{ kind: "schedule", afterMs: answerMs }],
});

const lost: Handler<"lost"> = (state) => ({
  state: { ...state, phase: "away" },
  effects: [{ kind: "cancel" }],
});

const close: Handler<"close"> = (state) => ({
  state: { ...state, phase: "ended" },
  effects: [{ kind: "cancel" }],
});

/** The timer goes: the edge answers by itself when its source is back (S4). */
const wait: Handler<"wait"> = (state, { id, error }) => {
  if (id !== state.id) return ignore(state);
  return { state: { ...state, phase: "waiting" }, effects: [{ kind: "cancel" }, { kind: "wait", error }] };
};

const refused: Handler<"refused"> = (state, { id, error }) =>
  id === state.id ? refusedBy(state, error) : ignore(state);

const dismissed: Handler<"dismissed"> = (state, { error }) => refusedBy(state, error);

function refusedBy<U extends Chained>(state: SubscriptionState, error: ErrorBody): SubscriptionStep<U> {
  if (error.retry) return retry(state, error.code, error);
  return {
    state: { ...state, phase: "ended" },
    effects: [{ kind: "cancel" }, { kind: "end", reason: error.code }],
  };
}

/** S3. A verdict that answers an earlier subscribe says nothing about what follows it. */
const verdict: Handler<"verdict"> = <U extends Chained>(
  state: SubscriptionState,
  { id, verdict }: SubscriptionEvent<U, "verdict">,
): SubscriptionStep<U> => {
  if (id !== state.id) return ignore(state);
  const first: SubscriptionEffect<U>[] = [{ kind: "cancel" }, { kind: "verdict", verdict }];
  const from = state.position;
  if (from === undefined) return adopt(state, verdict.position, verdict.head, first);
  if (verdict.recovered !== true) return restart(state, verdict, first);
  // `position` is `from` (S3). Should it not be, our own keeps the chain: P5 finds out what is wrong.
  const resumed = { ...state, statistics: count(state, "resumes") };
  return adopt(resumed, from, verdict.head, first);
};

const reset: Handler<"reset"> = (state, { verdict }) => restart(state, verdict, []);

/** Continuity is lost, and that is said before anything that comes after it is passed on. */
function restart<U extends Chained>(
  state: SubscriptionState,
  { position, head, cause }: Verdict,
  before: readonly SubscriptionEffect<U>[],
): SubscriptionStep<U> {
  const gap = { kind: "gap", cause, from: state.position, position } as const;
  return adopt({ ...state, statistics: count(state, "gaps") }, position, head, [...before, gap]);
}

function adopt<U extends Chained>(
  state: SubscriptionState,
  position: Position,
  head: Position,
  effects: readonly SubscriptionEffect<U>[],
): SubscriptionStep<U> {
  return reaches(position, head)
    ? { state: { ...state, phase: "live", position, head }, effects: [...effects, { kind: "live" }] }
    : { state: { ...state, phase: "catchingUp", position, head }, effects };
}

/** Takes an update, drops it, or asks again, by the predecessor that it names (P5). */
const update: Handler<"update"> = <U extends Chained>(
  state: SubscriptionState,
  { update }: SubscriptionEvent<U, "update">,
): SubscriptionStep<U> => {
  const before = state.position ?? NOTHING;
  switch (classify(before, update)) {
    case "duplicate":
      return { state: { ...state, statistics: count(state, "duplicates") }, effects: [] };
    case "gap":
      return askAgain(state);
    case "next": {
      const position = withComponent(before, update.epoch, update.offset);
      const taken = { ...state, position, fruitless: 0, statistics: count(state, "received") };
      const deliver = { kind: "deliver", update, position } as const;
      if (state.phase === "live" || !reaches(position, state.head))
        return { state: taken, effects: [deliver] };
      return { state: { ...taken, phase: "live" }, effects: [deliver, { kind: "live" }] };
    }
  }
};

/**
 * At once; if that led nowhere, after a while; and if that doesn't lead anywhere either, what lies there is given up. What
 * else comes until it is asked is ignored: it will come again.
 */
function askAgain<U extends Chained>(state: SubscriptionState): SubscriptionStep<U> {
  const fruitless = state.fruitless + 1;
  const next = { ...state, fruitless, statistics: count(state, "holes") };
  if (fruitless === 1) return { state: { ...next, phase: "away" }, effects: [{ kind: "ask" }] };
  const reason = "what came does not continue the position";
  if (fruitless < FRUITLESS_LIMIT) return retry(next, reason);
  const statistics = { ...next.statistics, gaps: next.statistics.gaps + 1 };
  const { state: after, effects } = retry<U>({ ...next, position: undefined, statistics }, reason);
  const gap = { kind: "gap", cause: "broken", from: state.position, position: undefined } as const;
  return { state: after, effects: [gap, ...effects] };
}

function retry<U extends Chained>(
  state: SubscriptionState,
  reason: string,
  error?: ErrorBody,
): SubscriptionStep<U> {
  return {
    state: { ...state, phase: "away" },
    effects: [{ kind: "cancel" }, { kind: "retry", reason, error }],
  };
}

const unreadable: Handler<"unreadable"> = (state) => askAgain(state);

/** It may have been the verdict, without which nothing goes on. */
const unreadableAnswer: Handler<"unreadable"> = (state) => retry(state, "an answer could not be read");

const unanswered: Handler<"timer"> = (state) => retry(state, "a subscribe was not answered");

const NOTHING_HAPPENS: Row = {
  asked: ignore,
  lost: ignore,
  verdict: ignore,
  wait: ignore,
  refused: ignore,
  dismissed: ignore,
  reset: ignore,
  update: ignore,
  unreadable: ignore,
  timer: ignore,
  close: ignore,
};

/** Until the verdict comes, whatever else comes belongs to what was before: it will come again. */
const VERDICT_DUE: Row = {
  asked: ignore,
  lost,
  verdict,
  wait,
  refused,
  dismissed: ignore,
  reset: ignore,
  update: ignore,
  unreadable: unreadableAnswer,
  timer: unanswered,
  close,
};

const RECEIVING: Row = {
  asked: ignore,
  lost,
  verdict: ignore,
  wait: ignore,
  refused: ignore,
  dismissed,
  reset,
  update,
  unreadable,
  timer: ignore,
  close,
};

/** Every event in every phase. */
const TABLE: Record<SubscriptionPhase, Row> = {
  away: { ...NOTHING_HAPPENS, asked, close },
  asked: VERDICT_DUE,
  waiting: { ...VERDICT_DUE, timer: ignore },
  catchingUp: RECEIVING,
  live: RECEIVING,
  ended: NOTHING_HAPPENS,
};

/** `U` is what an update is to the caller; only its place in the chain matters here. */
export function stepSubscription<U extends Chained, K extends Kind>(
  state: SubscriptionState,
  event: SubscriptionEvent<U, K>,
  limits: SubscriptionLimits,
): SubscriptionStep<U> {
  const row: Row = TABLE[state.phase];
  const handler: Handler<K> = row[event.kind];
  return handler(state, event, limits);
}
