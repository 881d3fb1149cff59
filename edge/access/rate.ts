/** A token bucket, kept as the time at which it is full again (GCRA): one number. */
export interface Rate {
  readonly perSecond: number;
  /** As many at once. */
  readonly burst: number;
}

export class Bucket {
  readonly #everyMs: number;
  readonly #burstMs: number;
  /** Milliseconds. */
  #fullAt = 0;

  /** Full at first: an object's memory, with its buckets, may go at any time. */
  constructor({ perSecond, burst }: Rate) {
    this.#everyMs = 1_000 / perSecond;
    this.#burstMs = (burst - 1) * this.#everyMs;
  }

  /** 0 if one more may pass now; else the milliseconds until it may. `now` never goes back. */
  take(now: number): number {
    const fullAt = Math.max(this.#fullAt, now);
    const early = fullAt - this.#burstMs - now;
    if (early > 0) return Math.ceil(early);
    this.#fullAt = fullAt + this.#everyMs;
    return 0;
  }
}
