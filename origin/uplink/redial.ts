/**
 * When a shard is dialled again. Pure.
 *
 *   the edge can't be reached, or closes      backoff, 0 to 2 s
 *   another uplink has taken over             backoff, 0 to 60 s: it may have our name, and then both would for ever
 *   it refuses: token, version                backoff, 0 to 30 s: only people can change that, so it is loud
 *   it refuses for the time                   backoff, 0 to 2 s: a clock is set right by itself
 */
import { type BackoffBounds, backoff } from "../../shared/core/backoff.ts";
import type { Ended } from "./connection-options.ts";

export interface RedialTiming {
  readonly retry: BackoffBounds;
  /** After another uplink has taken over. */
  readonly replaced: BackoffBounds;
  /** After a refusal: most are for people to mend, but a clock can also be set right. */
  readonly refused: BackoffBounds;
}

export class Redial {
  readonly #timing: RedialTiming;
  readonly #random: () => number;
  /** How often each has happened since an uplink lasted. */
  readonly #counts = { closed: 0, replaced: 0, refused: 0 };

  /** @param random In [0, 1). */
  constructor(timing: RedialTiming, random: () => number) {
    this.#timing = timing;
    this.#random = random;
  }

  /** How long to wait after an uplink that ended so and lasted so long. */
  after({ how, greeted, mayPass }: Ended, lastedMs: number): number {
    const { retry, replaced, refused } = this.#timing;
    // An edge that takes uplinks and drops them at once isn't dialled ever faster.
    if (greeted && lastedMs > retry.maxMs) this.#counts.closed = 0;
    // Two origins of one name replace one another as often as they dial, and so ever more rarely.
    if (lastedMs > 2 * replaced.maxMs) this.#counts.replaced = 0;
    if (greeted && lastedMs > refused.maxMs) this.#counts.refused = 0;
    const inTime = { ...refused, maxMs: Math.min(refused.maxMs, retry.maxMs) };
    const bounds = { closed: retry, replaced, refused: mayPass ? inTime : refused };
    return Math.ceil(backoff(this.#counts[how]++, bounds[how], this.#random()));
  }
}
