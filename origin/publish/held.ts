/** A partition that a writer has claimed, and what it knows of what was published there. Pure. */
import { TIME_LIMITS } from "../time-limits.ts";
import { type Found, Ledger } from "./ledger.ts";
import type { Marks } from "./mark.ts";
import type { Claim, KnownPublish } from "./sink.ts";

export interface Clocks {
  /** Milliseconds since 1970, by a clock that may be set at any time. */
  readonly time: () => number;
  /** Milliseconds, by one that nobody sets. */
  readonly now: () => number;
}

/** How far the one is ahead of the other. */
export const aheadOf = ({ time, now }: Clocks) => time() - now();

export class Held {
  readonly claim: Claim;
  readonly #clocks: Clocks;
  readonly #aheadMs: number;
  readonly #ledger: Ledger;

  /** @param aheadMs What `aheadOf` said before the claim, which judged the clock. */
  constructor(claim: Claim, clocks: Clocks, aheadMs: number, windowMs: number) {
    this.claim = claim;
    this.#clocks = clocks;
    this.#aheadMs = aheadMs;
    this.#ledger = new Ledger(2 * windowMs, claim.known);
  }

  /** The clock as it was before the claim, and went on by itself: this tells how old a publish is. */
  get time(): number {
    return this.#clocks.now() + this.#aheadMs;
  }

  /** Others judge by its time how old what is written now is: a clock that was set is for the next claim to judge. */
  get isClockSet(): boolean {
    return Math.abs(aheadOf(this.#clocks) - this.#aheadMs) > TIME_LIMITS.publishClockMs;
  }

  /** Whether it could be known of one more publish that it was done. */
  hasRoom(): boolean {
    if (this.#ledger.isFull) this.forget();
    return !this.#ledger.isFull;
  }

  find(marks: Marks): Found {
    return this.#ledger.find(marks);
  }

  learn(publish: KnownPublish): void {
    this.#ledger.learn(publish);
  }

  /** What is older than it is known for. */
  forget(): void {
    this.#ledger.forget(this.time);
  }
}
