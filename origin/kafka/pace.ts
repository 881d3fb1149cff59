/**
 * How closely requests follow one another. Each costs the same however much its answer carries, so under a steady
 * stream one for every record would take most of a reader's time, and of the broker's. Where answers come that often,
 * the next is asked for a moment after the last, and brings what has come by then; else at once, and nothing waits. Pure.
 */

/** From an answer to the next request, where answers come often. */
const SPACE_MS = 2;
/** So often: the mean time between two of them. */
const OFTEN_MS = 5;
/** How much of the mean is the newest of them. */
const NEWEST = 1 / 8;
/** What was long ago counts as this. */
const LONG_MS = 50;

export class Pace {
  #lastAt = Number.NEGATIVE_INFINITY;
  #meanMs = LONG_MS;

  /** Records have come. @param now milliseconds */
  came(now: number): void {
    this.#meanMs += (Math.min(now - this.#lastAt, LONG_MS) - this.#meanMs) * NEWEST;
    this.#lastAt = now;
  }

  /** For how long the next request is better put off; 0: not at all. */
  waitMs(now: number): number {
    return this.#meanMs < OFTEN_MS ? Math.max(0, this.#lastAt + SPACE_MS - now) : 0;
  }
}
