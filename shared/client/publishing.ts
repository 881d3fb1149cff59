/**
 * What a client publishes on a connection: what is sent when, what is sent again, and in which order (W28). Pure: time and chance
 * are passed in, and the shell performs the effects and says what happened. A frame names its endpoint, so one of these serves a
 * connection of many.
 *
 * Publishes wait in one queue. Those of one endpoint are sent one after the other unless order isn't asked for; what nobody
 * knows the outcome of, after a connection was lost above all, is sent again with its key, before what was behind it.
 */
import { type BackoffBounds, backoff } from "../core/backoff.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import { meaningOf, WAITING } from "./publication-states.ts";
import { type PublishOrder, PublishQueue, type Queued } from "./publish-queue.ts";

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

export type PublishingEvent =
  | {
      readonly kind: "publish";
      /** Higher than all before. */
      readonly name: number;
      readonly endpoint: string;
      readonly order: PublishOrder;
      readonly bytes: number;
    }
  /** Nobody wants it any more. */
  | { readonly kind: "withdraw"; readonly name: number }
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
}

/** An edge that was asked too often counts refusals, one a second at most (S20). */
const LEAST_PAUSE_MS = 1_000;
/** After so many that were taken one more is under way at once. */
const TAKEN_PER_STEP = 100;

export class Publishing {
  readonly #limits: PublishingLimits;
  readonly #queue = new PublishQueue();
  #phase: "away" | "open" | "pausing" | "ended" = "away";
  /** While pausing. */
  #resumeAt = 0;
  /** Pauses in a row. */
  #pauses = 0;
  /** As many are under way at once, a fraction left out: less where the edge was asked too much. */
  #window: number;
  /** Why it is over. */
  #end: ErrorBody | undefined;
  #effects: PublishingEffect[] = [];

  constructor(limits: PublishingLimits) {
    this.#limits = limits;
    this.#window = limits.atOnce;
  }

  /** How many have no outcome yet. */
  get size(): number {
    return this.#queue.size;
  }

  step(event: PublishingEvent, context: PublishingContext): readonly PublishingEffect[] {
    this.#effects = [];
    this.#happen(event, context);
    this.#sendNext(context);
    return [...this.#effects, this.#timer(context)];
  }

  #happen(event: PublishingEvent, context: PublishingContext): void {
    switch (event.kind) {
      case "publish":
        this.#add(event, context);
        break;
      case "withdraw":
        this.#withdraw(event.name);
        break;
      case "opened":
        if (this.#phase !== "away") break;
        this.#phase = "open";
        this.#pauses = 0;
        break;
      case "lost":
        if (this.#phase !== "ended") this.#phase = "away";
        for (const queued of this.#queue.underWay()) this.#queue.step(queued, { kind: "unknown" });
        break;
      case "taken":
        this.#taken(event.id, event.position);
        break;
      case "refused":
        this.#refused(event.id, event.error, context);
        break;
      case "timer":
        this.#timeIsUp(context);
        break;
      case "end":
        this.#finish(event.error);
    }
  }

  #add(
    { name, endpoint, order, bytes }: Extract<PublishingEvent, { kind: "publish" }>,
    { now }: PublishingContext,
  ): void {
    const { maxPublishes, maxBytes, publishMs } = this.#limits;
    const isFull = this.#queue.size >= maxPublishes || this.#queue.bytes + bytes > maxBytes;
    const error = this.#end ?? (isFull ? FULL : undefined);
    if (error !== undefined) this.#effects.push({ kind: "failed", name, error });
    else {
      const until = now + publishMs;
      this.#queue.add({ name, endpoint, order, bytes, until, answerBy: 0, state: WAITING, said: undefined });
    }
  }

  /** As if its time were over: what was sent may become a record still. */
  #withdraw(name: number): void {
    const queued = this.#queue.named(name);
    if (queued === undefined) return;
    this.#queue.step(queued, { kind: "late" });
    this.#fail([queued]);
  }

  #taken(id: number, position: string): void {
    const queued = this.#queue.withId(id);
    if (queued === undefined) return;
    this.#queue.step(queued, { kind: "published" });
    this.#window = Math.min(this.#limits.atOnce, this.#window + 1 / TAKEN_PER_STEP);
    this.#pauses = 0;
    this.#effects.push({ kind: "published", name: queued.name, position });
  }

  #refused(id: number | undefined, error: ErrorBody, context: PublishingContext): void {
    const isOfAll = id === undefined && error.code === "unknown_outcome";
    const one = id === undefined ? undefined : this.#queue.withId(id);
    const meant = isOfAll ? this.#queue.underWay() : one === undefined ? [] : [one];
    if (meant.length === 0) return;
    for (const queued of meant) {
      queued.said = error;
      this.#queue.step(queued, meaningOf(error));
    }
    this.#fail(meant.filter(isOver));
    if (error.retry) this.#pause(error, context);
  }

  /** Once for all that is refused at the same moment. */
  #pause(error: ErrorBody, { now, random }: PublishingContext): void {
    if (this.#phase !== "open") return;
    const isTooMuch = error.code === "rate_limited";
    const least = Math.max(error.retryAfterMs ?? 0, isTooMuch ? LEAST_PAUSE_MS : 0);
    this.#phase = "pausing";
    this.#resumeAt = now + least + backoff(this.#pauses++, this.#limits.again, random);
    if (isTooMuch) this.#window = Math.max(1, this.#window / 2);
  }

  #timeIsUp({ now }: PublishingContext): void {
    const late: Queued[] = [];
    for (
      let { oldest } = this.#queue;
      oldest !== undefined && oldest.until <= now;
      { oldest } = this.#queue
    ) {
      this.#queue.step(oldest, { kind: "late" });
      late.push(oldest);
    }
    this.#fail(late);
    for (
      let { slowest } = this.#queue;
      slowest !== undefined && slowest.answerBy <= now;
      { slowest } = this.#queue
    )
      this.#queue.step(slowest, { kind: "unknown" });
    if (this.#phase === "pausing" && this.#resumeAt <= now) this.#phase = "open";
  }

  #finish(error: ErrorBody): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#end = error;
    const all: Queued[] = [];
    for (let { oldest } = this.#queue; oldest !== undefined; { oldest } = this.#queue) {
      oldest.said = error;
      this.#queue.step(oldest, { kind: "late" });
      all.push(oldest);
    }
    this.#fail(all);
  }

  /** These are over without having been published; they take with them those that are to fail with them. */
  #fail(over: readonly Queued[]): void {
    for (const { name, state, said } of over)
      this.#effects.push({ kind: "failed", name, error: errorOf(state, said) });
    for (const queued of over)
      for (const behind of this.#queue.behind(queued)) {
        this.#queue.remove(behind);
        this.#effects.push({ kind: "failed", name: behind.name, error: SKIPPED });
      }
  }

  #sendNext({ now, nextId }: PublishingContext): void {
    let id = nextId;
    for (let { next } = this.#queue; this.#maySend && next !== undefined; { next } = this.#queue) {
      next.answerBy = now + this.#limits.publishAnswerMs;
      this.#effects.push({ kind: "send", name: next.name, id });
      this.#queue.step(next, { kind: "send", id: id++ });
    }
  }

  get #maySend(): boolean {
    return this.#phase === "open" && this.#queue.sent < Math.floor(this.#window);
  }

  #timer({ now }: PublishingContext): PublishingEffect {
    const { oldest, slowest } = this.#queue;
    const next = Math.min(
      this.#phase === "pausing" ? this.#resumeAt : Number.POSITIVE_INFINITY,
      oldest?.until ?? Number.POSITIVE_INFINITY,
      slowest?.answerBy ?? Number.POSITIVE_INFINITY,
    );
    return next === Number.POSITIVE_INFINITY
      ? { kind: "cancel" }
      : { kind: "schedule", afterMs: Math.max(0, next - now) };
  }
}

const isOver = ({ state }: Queued) => state.kind === "over";

function errorOf(state: Queued["state"], said: ErrorBody | undefined): ErrorBody {
  if (state.kind !== "over" || state.how !== "unknown") return said ?? UNSENT;
  return { ...UNKNOWN, message: said ? `${UNKNOWN.message} (${said.message})` : UNKNOWN.message };
}

const FULL: ErrorBody = {
  code: "overloaded",
  message: "more is published than is answered; wait for some of it",
  retry: true,
};

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
