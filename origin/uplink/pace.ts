/**
 * How often what comes by itself may leave on an uplink. Each message costs the shard about as much as all the updates in it, so on
 * average one leaves in so long. But few come so fast for long: some leave at once, and only what comes faster than all of them waits,
 * and leaves together.
 */

/** So many leave at once if none has for a while. */
const AT_ONCE = 16;

export class Pace {
  readonly #apartMs: number;
  /** When the next one may leave, in milliseconds of the monotonic clock. */
  freeAt = Number.NEGATIVE_INFINITY;

  /** @param apartMs one message in so long, on average */
  constructor(apartMs: number) {
    this.#apartMs = apartMs;
  }

  sent(now: number): void {
    this.freeAt = Math.max(this.freeAt, now - AT_ONCE * this.#apartMs) + this.#apartMs;
  }
}
