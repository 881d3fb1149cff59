/**
 * For how long a broker is asked to hold a request for which it has nothing. Kafka holds it once; there are logs that wait for
 * one partition of it after the other, for as long each: so little is asked for until a broker has shown that it doesn't. Pure.
 */
import { TIME_LIMITS } from "../time-limits.ts";

const LONG_MS = TIME_LIMITS.fetchHeldMs;
const UNPROVEN_MS = TIME_LIMITS.fetchHeldUnprovenMs;
/** Of the time that one after the other would take. */
const CLEARLY_LESS = 0.75;

export class Holding {
  #isTogether = false;

  waitMs(partitions: number): number {
    if (this.#isTogether || partitions === 1) return LONG_MS;
    return Math.min(LONG_MS, Math.max(1, Math.floor(UNPROVEN_MS / partitions)));
  }

  /** There was nothing for any of so many partitions. */
  answeredNothing(partitions: number, waitMs: number, tookMs: number): void {
    if (waitMs > 0 && tookMs < CLEARLY_LESS * partitions * waitMs) this.#isTogether = true;
  }
}
