/** How long a broker that throttles is left alone, and over which connection it is asked then. Pure: time is passed in. */
import { TIME_LIMITS } from "../time-limits.ts";

/**
 * By default brokers measure what a client took over the last 11 s. It may pay for a burst with minutes, in which they hear
 * nothing on the connection that they throttled, even if the quota has been lifted. After so long they are asked over another
 * one: what they measure has passed by then. If the quota still holds they say so again, at the cost of one answer.
 */
const MOST_MS = TIME_LIMITS.brokerThrottledMs;

export class Throttle {
  #until = Number.NEGATIVE_INFINITY;
  #isOn = false;
  #isDeaf = false;

  /** The broker said with an answer for how long it wants to be left alone. */
  told(now: number, ms: number): void {
    this.#isOn = ms > 0;
    this.#isDeaf = ms > MOST_MS;
    if (this.#isOn) this.#until = now + Math.min(ms, MOST_MS);
  }

  /** Whether it ever said so: else the time doesn't matter. */
  get wasOn(): boolean {
    return this.#until !== Number.NEGATIVE_INFINITY;
  }

  /** Whether it said so with its last answer. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** How long nothing is sent from now on. */
  leftMs(now: number): number {
    return Math.max(0, this.#until - now);
  }

  /** Whether it hears nothing on this connection even after that. */
  get isDeaf(): boolean {
    return this.#isDeaf;
  }
}
