/**
 * What the connections of one address, or of the subject of tokens, may ask of a relay together: M10 of PROTOCOL.md. Each by itself
 * is bounded besides (../endpoint/connection-limits.ts), but there may be many. In memory only: one that sleeps was asked little.
 */
import { Buckets, type Rate } from "../access/rate.ts";

export interface SenderLimits {
  /** Subscribes, unsubscribes, and tokens that are renewed. */
  readonly asks: Rate;
  readonly publishes: Rate;
}

export class Senders {
  readonly #asks: Buckets;
  readonly #publishes: Buckets;

  constructor({ asks, publishes }: SenderLimits) {
    this.#asks = new Buckets(asks);
    this.#publishes = new Buckets(publishes);
  }

  /** Milliseconds until this may be done; 0 if it may now. `count`: as how many it counts. */
  waitMs(sender: string, what: "messages" | "asks" | "publishes", now: number, count?: number): number {
    if (what === "messages") return 0;
    return (what === "asks" ? this.#asks : this.#publishes).take(sender, now, count);
  }
}
