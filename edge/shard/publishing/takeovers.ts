/** How often a shard asks origins to take over partitions that nobody is known to write: W8 of INTERNALS.md. Pure. */
import { TIME_LIMITS } from "../../time-limits.ts";

const AGAIN_MS = TIME_LIMITS.takeoverAgainMs;
const LONGEST_MS = TIME_LIMITS.takeoverLongestMs;
/** A pause that was long enough for so long is the shortest again. */
const STEADY_MS = TIME_LIMITS.takeoverSteadyMs;
/** Names that match a pattern may be asked for without end: those that were asked for longest ago are forgotten. */
const REMEMBERED = 10_000;

interface Asked {
  readonly at: number;
  readonly pauseMs: number;
}

export class Takeovers {
  readonly #asked = new Map<string, Asked>();

  /** When a takeover may be asked for, of what has this name. */
  nextAt(name: string): number {
    const asked = this.#asked.get(name);
    return asked === undefined ? Number.NEGATIVE_INFINITY : asked.at + asked.pauseMs;
  }

  ask(name: string, now: number): void {
    const before = this.#asked.get(name);
    const isSoon = before !== undefined && now - before.at < STEADY_MS;
    this.#asked.delete(name);
    this.#asked.set(name, {
      at: now,
      pauseMs: isSoon ? Math.min(2 * before.pauseMs, LONGEST_MS) : AGAIN_MS,
    });
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > REMEMBERED && oldest !== undefined) this.#asked.delete(oldest);
  }
}
