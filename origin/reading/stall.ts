/**
 * Whether the reading of a partition hangs: nothing is heard of it, though the log has more, or though not even a first
 * answer came. One that only waits, for a slow line, for a log that asks to be left alone or until what failed is
 * tried again, gives signs of that. Pure: time is passed in.
 */
import { TIME_LIMITS } from "../time-limits.ts";
export interface StallBounds {
  /** Silent for so long, reading hangs. */
  readonly stallMs: number;
  /** How often it is looked at. */
  readonly lookMs: number;
}

/** More than a source needs to notice that its log is silent, and to try again. */
export const STALL: StallBounds = { stallMs: TIME_LIMITS.readSilentMs, lookMs: TIME_LIMITS.readLookMs };

export class Stall {
  readonly #bounds: StallBounds;
  #answered = false;
  #lookedAt: number;
  /** When there was last nothing to wait for. */
  #since: number;

  /** Reading begins. */
  constructor(now: number, bounds: StallBounds) {
    this.#bounds = bounds;
    this.#lookedAt = now;
    this.#since = now;
  }

  /** A batch came. */
  answered(now: number): void {
    this.#answered = true;
    this.#since = now;
  }

  /** There is another sign that reading goes on. */
  alive(now: number): void {
    this.#since = now;
  }

  /**
   * For how long it has been hanging, in milliseconds; undefined while it isn't.
   * @param end Where the log ends, as was last heard from whomever.
   */
  look(now: number, { next, end }: { readonly next: number; readonly end: number }): number | undefined {
    // While this process didn't run, nobody could be heard.
    this.#since += Math.max(0, now - this.#lookedAt - 2 * this.#bounds.lookMs);
    this.#lookedAt = now;
    if (this.#answered && end <= next) this.#since = now;
    const ms = now - this.#since;
    return ms >= this.#bounds.stallMs ? ms : undefined;
  }
}
