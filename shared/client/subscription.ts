/**
 * What a receiver of one endpoint knows and does: where it is, whether what comes continues that (P5), and
 * when to ask again. Pure: the shell performs the effects and says what happened.
 *
 *             connected           verdict            reached head
 *   away ──────────────▶ asked ──────────▶ catchingUp ──────────▶ live
 *    ▲                    ▲ │ wait ▲ verdict    │                   │
 *    │                    │ ▼      │            │  gap              │
 *    │ lost, from all     │ waiting             ▼                   ▼
 *    │                    └─────────────────────┴───────────────────┘      ended: from all, for good
 */
import { classify } from "../core/continuity.ts";
import type { Chained } from "../protocol/position.ts";
import { NOTHING, type Position, reaches, withComponent } from "../protocol/position.ts";
import type { ErrorBody, Verdict } from "../protocol/schemas.ts";
import { URL_SUBSCRIBE_ID } from "../protocol/subscriber.ts";

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
  /** Ids after that which other frames on this socket have taken. */
  readonly taken: number;
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
  /** A socket opened whose URL carried the position. */
  connected: object;
  lost: object;
  verdict: { readonly id: number; readonly verdict: Verdict };
  wait: { readonly id: number; readonly error: ErrorBody };
  /** An error, in answer to a subscribe if it has its id. */
  refused: { readonly id: number | undefined; readonly error: ErrorBody };
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
  | { readonly kind: "subscribe"; readonly id: number; readonly from: Position | undefined }
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
  /** This socket is of no use. */
  | { readonly kind: "reconnect"; readonly reason: string }
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
  return { phase: "away", id: 0, taken: 0, position: from, head: NOTHING, fruitless: 0, statistics };
}

/** Larger than all before on this socket (S2). */
export const nextId = ({ id, taken }: SubscriptionState): number => id + taken + 1;

/** Another frame has the next id. */
export const takeId = (state: SubscriptionState): SubscriptionState => ({ ...state, taken: state.taken + 1 });

const ignore = (state: SubscriptionState) => ({ state, effects: [] });

function count(state: SubscriptionState, what: keyof Statistics): Statistics {
  return { ...state.statistics, [what]: state.statistics[what] + 1 };
}

const connected: Handler<"connected"> = (state, _, { answerMs }) => ({
  state: { ...state, phase: "asked", id: URL_SUBSCRIBE_ID, taken: 0 },
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

const refused: Handler<"refused"> = (state, { id, error }) => {
  if (id !== state.id) return ignore(state);
  return error.retry
    ? giveUpSocket(state, error.code)
    : {
        state: { ...state, phase: "ended" },
        effects: [{ kind: "cancel" }, { kind: "end", reason: error.code }],
      };
};

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
  limits: SubscriptionLimits,
): SubscriptionStep<U> => {
  const before = state.position ?? NOTHING;
  switch (classify(before, update)) {
    case "duplicate":
      return { state: { ...state, statistics: count(state, "duplicates") }, effects: [] };
    case "gap":
      return askAgain(state, limits);
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
 * First on the same socket; if that led nowhere, over a new connection with its growing delays; and if that
 * doesn't either, what lies there is given up.
 */
function askAgain<U extends Chained>(
  state: SubscriptionState,
  limits: SubscriptionLimits,
): SubscriptionStep<U> {
  const fruitless = state.fruitless + 1;
  const next = { ...state, fruitless, statistics: count(state, "holes") };
  if (fruitless === 1) {
    const id = nextId(state);
    return {
      state: { ...next, phase: "asked", id, taken: 0 },
      effects: [
        { kind: "subscribe", id, from: state.position },
        { kind: "schedule", afterMs: limits.answerMs },
      ],
    };
  }
  if (fruitless < FRUITLESS_LIMIT) return giveUpSocket(next, "what came does not continue the position");
  const abandoned = {
    ...next,
    position: undefined,
    statistics: { ...next.statistics, gaps: next.statistics.gaps + 1 },
  };
  const { state: after, effects } = giveUpSocket<U>(abandoned, "what came does not continue the position");
  const gap = { kind: "gap", cause: "broken", from: state.position, position: undefined } as const;
  return { state: after, effects: [gap, ...effects] };
}

function giveUpSocket<U extends Chained>(state: SubscriptionState, reason: string): SubscriptionStep<U> {
  return {
    state: { ...state, phase: "away" },
    effects: [{ kind: "cancel" }, { kind: "reconnect", reason }],
  };
}

const unreadable: Handler<"unreadable"> = (state, _, limits) => askAgain(state, limits);

/** It may have been the verdict, without which nothing goes on. */
const unreadableAnswer: Handler<"unreadable"> = (state) => giveUpSocket(state, "an answer could not be read");

const unanswered: Handler<"timer"> = (state) => giveUpSocket(state, "a subscribe was not answered");

const NOTHING_HAPPENS: Row = {
  connected: ignore,
  lost: ignore,
  verdict: ignore,
  wait: ignore,
  refused: ignore,
  reset: ignore,
  update: ignore,
  unreadable: ignore,
  timer: ignore,
  close: ignore,
};

/** Until the verdict comes, whatever else comes belongs to what was before: it will come again. */
const VERDICT_DUE: Row = {
  connected: ignore,
  lost,
  verdict,
  wait,
  refused,
  reset: ignore,
  update: ignore,
  unreadable: unreadableAnswer,
  timer: unanswered,
  close,
};

const RECEIVING: Row = {
  connected: ignore,
  lost,
  verdict: ignore,
  wait: ignore,
  refused: ignore,
  reset,
  update,
  unreadable,
  timer: ignore,
  close,
};

/** Every event in every phase. */
const TABLE: Record<SubscriptionPhase, Row> = {
  away: { ...NOTHING_HAPPENS, connected, close },
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
