/** A token bucket, kept as the time at which it is full again (GCRA): one number. */
export interface Rate {
  readonly perSecond: number;
  /** As many at once. */
  readonly burst: number;
}

export class Bucket {
  readonly #everyMs: number;
  readonly #burst: number;
  readonly #burstMs: number;
  /** Milliseconds. */
  #fullAt = 0;

  /** Full at first: an object's memory, with its buckets, may go at any time. */
  constructor({ perSecond, burst }: Rate) {
    this.#everyMs = 1_000 / perSecond;
    this.#burst = burst;
    this.#burstMs = (burst - 1) * this.#everyMs;
  }

  /**
   * 0 if one more may pass now; else the milliseconds until it may. `now` never goes back.
   * @param count What counts as several passes when as many may; more than may at once, when all may.
   */
  take(now: number, count = 1): number {
    const wait = this.waitMs(now, count);
    if (wait === 0) this.spend(now, count);
    return wait;
  }

  /** The same, if nothing passes now. */
  waitMs(now: number, count = 1): number {
    const others = Math.min(count, this.#burst) - 1;
    const early = Math.max(this.#fullAt, now) + others * this.#everyMs - this.#burstMs - now;
    return early > 0 ? Math.ceil(early) : 0;
  }

  /** So many have passed, whether or not they might: the next ones wait for it. */
  spend(now: number, count: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + count * this.#everyMs;
  }
}

/** Those that are remembered. */
const MOST_KEYS = 10_000;

/** A bucket for each of many who ask, by whatever key they are known. Whoever asked least recently is forgotten first. */
export class Buckets {
  readonly #rate: Rate;
  readonly #byKey = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** As of a bucket. */
  take(key: string, now: number, count?: number): number {
    return this.#of(key).take(now, count);
  }

  /** As of a bucket. */
  waitMs(key: string, now: number): number {
    return this.#byKey.get(key)?.waitMs(now) ?? 0;
  }

  /** As of a bucket. */
  spend(key: string, now: number, count: number): void {
    this.#of(key).spend(now, count);
  }

  #of(key: string): Bucket {
    const bucket = this.#byKey.get(key) ?? new Bucket(this.#rate);
    // The last that asked is the last in order.
    this.#byKey.delete(key);
    this.#byKey.set(key, bucket);
    const [least] = this.#byKey.keys();
    if (this.#byKey.size > MOST_KEYS && least !== undefined) this.#byKey.delete(least);
    return bucket;
  }
}
