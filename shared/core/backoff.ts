/**
 * How long to wait before trying again: exponential backoff with full jitter (S10), so that clients that
 * were cut off together do not come back together. Random is passed in; the waiting, and its end, are the caller's.
 */
export interface BackoffBounds {
  /** Upper bound of the first delay; each further attempt doubles it. */
  readonly baseMs: number;
  /** No delay is longer than this. */
  readonly maxMs: number;
}

/**
 * The delay in milliseconds before attempt `attempt` (0 is the first retry): evenly spread from 0 to the
 * bound. `random` is in [0, 1).
 */
export function backoff(attempt: number, { baseMs, maxMs }: BackoffBounds, random: number): number {
  return random * Math.min(maxMs, baseMs * 2 ** attempt);
}
