/**
 * What a connection of many endpoints has yet to say of its subscriptions, and when (M2–M5, M10): subscribes that are due, that
 * wait after a refusal, and ends of those that nobody wants any more. Pure: time and chance are passed in.
 *
 * Of each endpoint the edge is told what holds at last: who ends a subscription and begins another before anything was sent
 * is one subscribe. No more than OPEN are unanswered, so that a resume of many is clocked by the answers. What is refused because
 * too much is asked (`rate_limited`, `overloaded`) holds up all that is to be said, once for all of it; any other refusal that
 * may pass, its own endpoint alone.
 */
import { type BackoffBounds, backoff } from "../core/backoff.ts";
import type { ErrorBody } from "../protocol/error-body.ts";

export interface AskLimits {
  readonly backoff: BackoffBounds;
  /** What isn't answered for so long, while nothing else is either, won't be; milliseconds, as all here. */
  readonly answerMs: number;
  /** A subscription that lasted so long was a good one: its next delay is a short one again. */
  readonly steadyMs: number;
}

/** To be said now. */
export interface Ask {
  readonly kind: "subscribe" | "unsubscribe";
  readonly id: number;
  readonly endpoint: string;
}

/** Unanswered at a time. */
export const OPEN = 256;

/** Codes of refusals that are no endpoint's own. */
const TOO_MUCH: readonly string[] = ["rate_limited", "overloaded"];

interface Entry {
  readonly endpoint: string;
  isWanted: boolean;
  /**
   * What the edge knows of it on this socket: nothing, a subscribe that isn't answered, a subscription (or perhaps one), or one
   * that it was told to end.
   */
  told: "nothing" | "asked" | "held" | "ended";
  /** Of what was said last. */
  id: number | undefined;
  /** Something is to be said of it, and not before. */
  dueAt: number;
  /** In a row. */
  retries: number;
  heldSince: number | undefined;
}

export class Asks {
  readonly #limits: AskLimits;
  readonly #entries = new Map<string, Entry>();
  readonly #due = new Set<Entry>();
  /** What was said and isn't answered, by id, and since when. */
  readonly #open = new Map<number, { readonly entry: Entry; readonly since: number }>();
  /** Subscribes of which the edge said that the verdict will take its time (S4). */
  readonly #waiting = new Map<number, Entry>();
  #isConnected = false;
  /** When something was answered, or went on, the last time. */
  #progressAt = 0;
  #pausedUntil = 0;
  /** By chance, in the present pause. */
  #spreadMs = 0;
  /** In a row, with nothing accepted in between. */
  #pauses = 0;

  constructor(limits: AskLimits) {
    this.#limits = limits;
  }

  /** A subscription to this endpoint begins. */
  want(endpoint: string, now: number): void {
    const entry = this.#entries.get(endpoint) ?? newEntry(endpoint);
    this.#entries.set(endpoint, entry);
    entry.isWanted = true;
    entry.retries = 0;
    entry.heldSince = undefined;
    this.#put(entry, now);
  }

  /** It ends. */
  drop(endpoint: string, now: number): void {
    const entry = this.#entries.get(endpoint);
    if (entry === undefined) return;
    entry.isWanted = false;
    this.#due.delete(entry);
    if (entry.told === "asked" || entry.told === "held") this.#put(entry, now);
    this.#forgetUnwanted(entry);
  }

  /** It missed something. */
  soon(endpoint: string, now: number): void {
    const entry = this.#entries.get(endpoint);
    if (entry !== undefined) this.#put(entry, now);
  }

  /** Asking for it led nowhere. `error`: what the edge said. */
  later(endpoint: string, error: ErrorBody | undefined, now: number, random: number): void {
    const entry = this.#entries.get(endpoint);
    if (entry !== undefined) this.#putOff(entry, error, now, random);
  }

  /** All is said anew: the edge knows nothing of what was before (M11). */
  connected(now: number): void {
    this.#isConnected = true;
    this.#progressAt = now;
    for (const entry of this.#entries.values()) this.#put(entry, Math.max(now, entry.dueAt));
  }

  lost(now: number): void {
    this.#isConnected = false;
    this.#open.clear();
    this.#waiting.clear();
    for (const entry of this.#entries.values()) {
      this.#noteEnd(entry, now);
      entry.told = "nothing";
      entry.id = undefined;
      this.#forgetUnwanted(entry);
    }
  }

  /** A frame answers. Whose subscribe it was, if that counts still. */
  answered(id: number, how: "verdict" | "wait", now: number): string | undefined {
    const entry = this.#close(id, now);
    if (entry === undefined) return undefined;
    if (how === "wait") {
      this.#waiting.set(id, entry);
      return entry.endpoint;
    }
    entry.id = undefined;
    entry.told = "held";
    entry.heldSince = now;
    this.#pauses = 0;
    return entry.endpoint;
  }

  /** Whether an answer with this id is awaited. */
  isAwaited(id: number): boolean {
    return this.#open.has(id) || this.#waiting.has(id);
  }

  /** The answer is an error. Whose subscribe it was; of an unsubscribe nobody need be told. */
  refused(id: number, error: ErrorBody, now: number, random: number): string | undefined {
    const entry = this.#close(id, now);
    if (entry === undefined) return undefined;
    entry.id = undefined;
    if (entry.told !== "ended") {
      // What there was before stays (M3).
      if (entry.told === "asked") entry.told = "nothing";
      this.#forgetUnwanted(entry);
      return entry.endpoint;
    }
    entry.told = error.retry ? "held" : "nothing";
    if (error.retry && !entry.isWanted) this.#putOff(entry, error, now, random);
    this.#forgetUnwanted(entry);
    return undefined;
  }

  /** An unsubscribe was done. */
  unsubscribed(id: number, now: number): void {
    const entry = this.#close(id, now);
    if (entry === undefined) return;
    entry.id = undefined;
    entry.told = "nothing";
    this.#forgetUnwanted(entry);
  }

  /** The edge ended a subscription by itself (M8). */
  dismissed(endpoint: string, now: number): void {
    const entry = this.#entries.get(endpoint);
    if (entry?.told !== "held") return;
    this.#noteEnd(entry, now);
    // A subscribe that was to take its place has an answer of its own.
    entry.told = entry.id === undefined ? "nothing" : "asked";
    this.#forgetUnwanted(entry);
  }

  /** Something was answered, or comes in parts: others may have to wait for that (M7). */
  progress(now: number): void {
    this.#progressAt = now;
  }

  /** Endpoints whose subscribes won't be answered any more. */
  unanswered(now: number, random: number): string[] {
    const { answerMs } = this.#limits;
    if (now - this.#progressAt < answerMs) return [];
    const late = [...this.#open].filter(([, { since }]) => now - since >= answerMs);
    const endpoints: string[] = [];
    for (const [id, { entry }] of late) {
      this.#open.delete(id);
      entry.id = undefined;
      if (entry.told !== "ended") endpoints.push(entry.endpoint);
      else {
        entry.told = "held";
        if (!entry.isWanted) this.#putOff(entry, undefined, now, random);
      }
    }
    return endpoints;
  }

  /** What is to be said now. Ids are taken in the order in which it must be said. */
  take(now: number, nextId: () => number): Ask[] {
    const asks: Ask[] = [];
    if (!this.#isConnected || now < this.#pausedUntil) return asks;
    for (const entry of this.#due) {
      if (this.#open.size >= OPEN) break;
      if (entry.dueAt > now) continue;
      this.#due.delete(entry);
      this.#forgetId(entry);
      const { endpoint, isWanted } = entry;
      const id = nextId();
      entry.id = id;
      this.#open.set(id, { entry, since: now });
      const before = entry.told;
      // A subscribe that wasn't answered may have been served all the same.
      const mayBeHeld = before === "asked" || before === "held";
      entry.told = isWanted ? (mayBeHeld ? "held" : "asked") : "ended";
      asks.push({ kind: isWanted ? "subscribe" : "unsubscribe", id, endpoint });
    }
    return asks;
  }

  /** When to look again, unless something comes; undefined: nothing is to be done. */
  nextIn(now: number): number | undefined {
    if (!this.#isConnected) return undefined;
    let next = Number.POSITIVE_INFINITY;
    if (this.#open.size < OPEN)
      for (const { dueAt } of this.#due) next = Math.min(next, Math.max(dueAt, this.#pausedUntil));
    for (const { since } of this.#open.values())
      next = Math.min(next, Math.max(since, this.#progressAt) + this.#limits.answerMs);
    return next === Number.POSITIVE_INFINITY ? undefined : Math.max(0, next - now);
  }

  #put(entry: Entry, at: number): void {
    entry.dueAt = at;
    this.#due.add(entry);
  }

  #putOff(entry: Entry, error: ErrorBody | undefined, now: number, random: number): void {
    this.#noteEnd(entry, now);
    const afterMs = error?.retryAfterMs ?? 0;
    if (error !== undefined && TOO_MUCH.includes(error.code)) {
      // All that was asked at once is refused at once: that is one pause.
      if (now >= this.#pausedUntil) this.#spreadMs = backoff(this.#pauses++, this.#limits.backoff, random);
      this.#pausedUntil = Math.max(this.#pausedUntil, now + afterMs + this.#spreadMs);
      this.#put(entry, now);
    } else this.#put(entry, now + afterMs + backoff(entry.retries++, this.#limits.backoff, random));
  }

  /** It was subscribed and is so no longer, or not for certain. */
  #noteEnd(entry: Entry, now: number): void {
    const { heldSince } = entry;
    if (heldSince !== undefined && now - heldSince >= this.#limits.steadyMs) entry.retries = 0;
    entry.heldSince = undefined;
  }

  /** What was said of it before doesn't count any more. */
  #forgetId(entry: Entry): void {
    if (entry.id === undefined) return;
    this.#open.delete(entry.id);
    this.#waiting.delete(entry.id);
    entry.id = undefined;
  }

  /** Whom an answer with this id is for. */
  #close(id: number, now: number): Entry | undefined {
    const entry = this.#open.get(id)?.entry ?? this.#waiting.get(id);
    if (entry === undefined) return undefined;
    this.#progressAt = now;
    this.#open.delete(id);
    this.#waiting.delete(id);
    return entry;
  }

  #forgetUnwanted(entry: Entry): void {
    if (entry.isWanted || entry.told !== "nothing") return;
    this.#due.delete(entry);
    this.#entries.delete(entry.endpoint);
  }
}

function newEntry(endpoint: string): Entry {
  return {
    endpoint,
    isWanted: true,
    told: "nothing",
    id: undefined,
    dueAt: 0,
    retries: 0,
    heldSince: undefined,
  };
}
