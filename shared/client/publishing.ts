/**
 * What a client publishes on a connection: what is sent when, what is sent again, and in which order (W28). Pure: the shell
 * performs the effects and says what happened. A frame names its endpoint, so one of these serves a connection of many.
 *
 * Publishes wait in one queue. Those of one endpoint are sent one after the other unless order isn't asked for; what nobody
 * knows the outcome of, after a connection was lost above all, is sent again with its key, before what was behind it.
 */
import { type BackoffBounds, backoff } from "../core/backoff.ts";
import type { ErrorBody } from "../protocol/schemas.ts";
import {
  meaningOf,
  type PublicationEvent,
  type PublicationState,
  stepPublication,
  WAITING,
} from "./publication-states.ts";

/**
 * `wait`: it is sent when those of its endpoint that were published before it have their outcome, whatever that is. `reject`:
 * the same, and it fails if one of them does. `none`: it is sent beside them.
 */
export type PublishOrder = "wait" | "reject" | "none";

export interface PublishingLimits {
  /** Publishes that have no outcome yet, and their bytes; one more fails at once. */
  readonly maxPublishes: number;
  readonly maxBytes: number;
  /** Of these under way at once. */
  readonly atOnce: number;
  /** Between two attempts. */
  readonly again: BackoffBounds;
  /** An answer that takes longer won't come; milliseconds. */
  readonly publishAnswerMs: number;
  /** A publish that has no outcome by then fails. Keys are remembered for 10 minutes (W3). */
  readonly publishMs: number;
}

interface Queued {
  /** Of the shell's. */
  readonly name: number;
  readonly endpoint: string;
  readonly order: PublishOrder;
  readonly bytes: number;
  /** It fails then. */
  readonly until: number;
  /** If it is under way: its answer comes by then, or won't. */
  readonly answerBy: number;
  readonly state: PublicationState;
  /** What the edge said of it last. */
  readonly said: ErrorBody | undefined;
}

export interface PublishingState {
  readonly phase: "away" | "open" | "pausing" | "ended";
  /** While pausing. */
  readonly resumeAt: number;
  /** Pauses in a row. */
  readonly pauses: number;
  /** As many are under way at once, a fraction left out: less where the edge was asked too much. */
  readonly window: number;
  readonly queue: readonly Queued[];
  /** Why it is over. */
  readonly end: ErrorBody | undefined;
}

export type PublishingEvent =
  | {
      readonly kind: "publish";
      readonly name: number;
      readonly endpoint: string;
      readonly order: PublishOrder;
      readonly bytes: number;
    }
  /** There is a connection, which answers. */
  | { readonly kind: "opened" }
  | { readonly kind: "lost" }
  | { readonly kind: "taken"; readonly id: number; readonly position: string }
  /** Without an id: of all that are under way. */
  | { readonly kind: "refused"; readonly id: number | undefined; readonly error: ErrorBody }
  /** The timer that the last `schedule` set. */
  | { readonly kind: "timer" }
  /** There will be no other connection. */
  | { readonly kind: "end"; readonly error: ErrorBody };

export type PublishingEffect =
  | { readonly kind: "send"; readonly name: number; readonly id: number }
  | { readonly kind: "published"; readonly name: number; readonly position: string }
  | { readonly kind: "failed"; readonly name: number; readonly error: ErrorBody }
  /** Sets the one timer; the one before it is cancelled. */
  | { readonly kind: "schedule"; readonly afterMs: number }
  | { readonly kind: "cancel" };

export interface PublishingContext {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  /** Of the next frame on the connection; those that follow have the next ones. */
  readonly nextId: number;
  readonly limits: PublishingLimits;
}

export interface PublishingStep {
  readonly state: PublishingState;
  readonly effects: readonly PublishingEffect[];
}

export function initialPublishing({ atOnce }: PublishingLimits): PublishingState {
  return { phase: "away", resumeAt: 0, pauses: 0, window: atOnce, queue: [], end: undefined };
}

/** An edge that was asked too often counts refusals, one a second at most (S20). */
const LEAST_PAUSE_MS = 1_000;
/** After so many that were taken one more is under way at once. */
const TAKEN_PER_STEP = 100;

export function stepPublishing(
  before: PublishingState,
  event: PublishingEvent,
  context: PublishingContext,
): PublishingStep {
  const { state, effects } = happen(before, event, context);
  const sent = sendNext(state, context);
  return { state: sent.state, effects: [...effects, ...sent.effects, timerOf(sent.state, context)] };
}

function happen(state: PublishingState, event: PublishingEvent, context: PublishingContext): PublishingStep {
  switch (event.kind) {
    case "publish":
      return add(state, event, context);
    case "opened":
      return state.phase === "away" ? same({ ...state, phase: "open", pauses: 0 }) : same(state);
    case "lost": {
      const away = state.phase === "ended" ? state : ({ ...state, phase: "away" } as const);
      return change(away, isUnderWay, () => ({ kind: "unknown" }));
    }
    case "taken":
      return taken(state, event.id, event.position, context.limits);
    case "refused":
      return refused(state, event.id, event.error, context);
    case "timer":
      return timeIsUp(state, context);
    case "end":
      return end(state, event.error);
  }
}

const same = (state: PublishingState): PublishingStep => ({ state, effects: [] });

function add(
  state: PublishingState,
  { name, endpoint, order, bytes }: Extract<PublishingEvent, { kind: "publish" }>,
  { now, limits }: PublishingContext,
): PublishingStep {
  const held = state.queue.reduce((sum, queued) => sum + queued.bytes, bytes);
  const isFull = state.queue.length >= limits.maxPublishes || held > limits.maxBytes;
  const error = state.end ?? (isFull ? FULL : undefined);
  if (error !== undefined) return { state, effects: [{ kind: "failed", name, error }] };
  const until = now + limits.publishMs;
  const queued = { name, endpoint, order, bytes, until, answerBy: 0, state: WAITING, said: undefined };
  return same({ ...state, queue: [...state.queue, queued] });
}

const FULL: ErrorBody = {
  code: "overloaded",
  message: "more is published than is answered; wait for some of it",
  retry: true,
};

function taken(
  state: PublishingState,
  id: number,
  position: string,
  { atOnce }: PublishingLimits,
): PublishingStep {
  const found = state.queue.find((queued) => isUnderWay(queued) && idOf(queued) === id);
  if (found === undefined) return same(state);
  const window = Math.min(atOnce, state.window + 1 / TAKEN_PER_STEP);
  const queue = state.queue.filter((queued) => queued !== found);
  return {
    state: { ...state, queue, window, pauses: 0 },
    effects: [{ kind: "published", name: found.name, position }],
  };
}

function refused(
  state: PublishingState,
  id: number | undefined,
  error: ErrorBody,
  context: PublishingContext,
): PublishingStep {
  const isOfAll = id === undefined && error.code === "unknown_outcome";
  const isMeant = (queued: Queued) => isUnderWay(queued) && (isOfAll || idOf(queued) === id);
  if (!state.queue.some(isMeant)) return same(state);
  const next = change(state, isMeant, () => meaningOf(error), error);
  return error.retry ? { ...next, state: pause(next.state, error, context) } : next;
}

/** Once for all that is refused at the same moment. */
function pause(state: PublishingState, error: ErrorBody, context: PublishingContext): PublishingState {
  const { now, random, limits } = context;
  if (state.phase !== "open") return state;
  const isTooMuch = error.code === "rate_limited";
  const least = Math.max(error.retryAfterMs ?? 0, isTooMuch ? LEAST_PAUSE_MS : 0);
  return {
    ...state,
    phase: "pausing",
    pauses: state.pauses + 1,
    resumeAt: now + least + backoff(state.pauses, limits.again, random),
    window: isTooMuch ? Math.max(1, state.window / 2) : state.window,
  };
}

function timeIsUp(state: PublishingState, context: PublishingContext): PublishingStep {
  const { now } = context;
  const isSilent = (queued: Queued) => isUnderWay(queued) && queued.answerBy <= now && queued.until > now;
  const late = change(
    state,
    ({ until }) => until <= now,
    () => ({ kind: "late" }),
  );
  const silent = change(late.state, isSilent, () => ({ kind: "unknown" }));
  const isOver = silent.state.phase === "pausing" && silent.state.resumeAt <= now;
  const next = isOver ? ({ ...silent.state, phase: "open" } as const) : silent.state;
  return { state: next, effects: [...late.effects, ...silent.effects] };
}

function end(state: PublishingState, error: ErrorBody): PublishingStep {
  if (state.phase === "ended") return same(state);
  const ended = { ...state, phase: "ended", end: error } as const;
  return change(
    ended,
    () => true,
    () => ({ kind: "late" }),
    error,
  );
}

/** Something happens to some of them; those that are over by it leave, and take with them those that are to fail with them. */
function change(
  state: PublishingState,
  isMeant: (queued: Queued) => boolean,
  eventOf: (queued: Queued) => PublicationEvent,
  said?: ErrorBody,
): PublishingStep {
  const effects: PublishingEffect[] = [];
  const queue: Queued[] = [];
  const failed = new Set<string>();
  for (const queued of state.queue) {
    const next = isMeant(queued)
      ? { ...queued, state: stepPublication(queued.state, eventOf(queued)), said: said ?? queued.said }
      : queued;
    const isBehind = next.order === "reject" && failed.has(next.endpoint) && next.state.kind !== "over";
    if (isBehind) effects.push({ kind: "failed", name: next.name, error: SKIPPED });
    else if (next.state.kind === "over") {
      effects.push({ kind: "failed", name: next.name, error: errorOf(next.state.how, next.said) });
      failed.add(next.endpoint);
    } else queue.push(next);
  }
  return { state: { ...state, queue }, effects };
}

function errorOf(
  how: "published" | "refused" | "unsent" | "unknown",
  said: ErrorBody | undefined,
): ErrorBody {
  if (how === "unknown")
    return { ...UNKNOWN, message: said ? `${UNKNOWN.message} (${said.message})` : UNKNOWN.message };
  return said ?? UNSENT;
}

const UNKNOWN: ErrorBody = {
  code: "unknown_outcome",
  message: "it may have been published: the same with the same key finds out",
  retry: true,
};

const UNSENT: ErrorBody = {
  code: "unavailable",
  message: "there was no connection on which to publish it in time",
  retry: true,
};

const SKIPPED: ErrorBody = {
  code: "skipped",
  message: "one that was published before it failed, and so this one wasn't sent",
  retry: true,
};

function sendNext(state: PublishingState, { now, nextId, limits }: PublishingContext): PublishingStep {
  if (state.phase !== "open") return same(state);
  const most = Math.floor(state.window);
  let underWay = state.queue.filter(isUnderWay).length;
  let id = nextId;
  const before = new Set<string>();
  const effects: PublishingEffect[] = [];
  const queue = state.queue.map((queued) => {
    const isNext = queued.order === "none" || !before.has(queued.endpoint);
    before.add(queued.endpoint);
    if (!isNext || isUnderWay(queued) || underWay >= most) return queued;
    underWay++;
    effects.push({ kind: "send", name: queued.name, id });
    const sent = stepPublication(queued.state, { kind: "send", id: id++ });
    return { ...queued, state: sent, answerBy: now + limits.publishAnswerMs };
  });
  return effects.length === 0 ? same(state) : { state: { ...state, queue }, effects };
}

function timerOf(state: PublishingState, { now }: PublishingContext): PublishingEffect {
  let next = state.phase === "pausing" ? state.resumeAt : Number.POSITIVE_INFINITY;
  for (const queued of state.queue)
    next = Math.min(next, queued.until, isUnderWay(queued) ? queued.answerBy : queued.until);
  return next === Number.POSITIVE_INFINITY
    ? { kind: "cancel" }
    : { kind: "schedule", afterMs: Math.max(0, next - now) };
}

function isUnderWay({ state }: Queued): boolean {
  return state.kind === "sent" || state.kind === "resent";
}

function idOf({ state }: Queued): number | undefined {
  return "id" in state ? state.id : undefined;
}
