/**
 * How often a shard asks origins to take over partitions that nobody is known to write: W8 of INTERNALS.md. Pure. The pauses grow,
 * so that two origins that don't hear of one another don't take a partition from one another without end. Who is gone takes
 * nothing, and so they needn't be longer then than at first.
 */
import { TIME_LIMITS } from "../../time-limits.ts";

const AGAIN_MS = TIME_LIMITS.takeoverAgainMs;
const LONGEST_MS = TIME_LIMITS.takeoverLongestMs;
/** A pause that was long enough for so long is the shortest again. */
const STEADY_MS = TIME_LIMITS.takeoverSteadyMs;
/** Names that match a pattern may be asked for without end: those that were asked for longest ago are forgotten. */
const REMEMBERED = 10_000;

interface Asked<T> {
  readonly at: number;
  readonly of: T;
  readonly pauseMs: number;
}

export class Takeovers<T> {
  readonly #asked = new Map<string, Asked<T>>();

  /** When a takeover may be asked for, of what has this name. */
  nextAt(name: string): number {
    const asked = this.#asked.get(name);
    return asked === undefined ? Number.NEGATIVE_INFINITY : asked.at + asked.pauseMs;
  }

  ask(name: string, of: T, now: number): void {
    const before = this.#asked.get(name);
    const isSoon = before !== undefined && now - before.at < STEADY_MS;
    this.#asked.delete(name);
    const pauseMs = isSoon ? Math.min(2 * before.pauseMs, LONGEST_MS) : AGAIN_MS;
    this.#asked.set(name, { at: now, of, pauseMs });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > REMEMBERED && oldest !== undefined) this.#asked.delete(oldest);
  }

  /** An origin is gone that had these, or was taking them, or was asked to. */
  gone(origin: T, had: Iterable<string>): void {
    for (const name of had) this.#beginAnew(name);
    for (const [name, { of }] of this.#asked) if (of === origin) this.#beginAnew(name);
  }

  #beginAnew(name: string): void {
    const asked = this.#asked.get(name);
    if (asked !== undefined) this.#asked.set(name, { ...asked, pauseMs: AGAIN_MS });
  }
}
