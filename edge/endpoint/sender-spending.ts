/**
 * What all sockets of one sender may say together, an address or the subject of tokens: S20 and M10 of PROTOCOL.md. In memory
 * only, and of as many senders as are remembered.
 */
import { Buckets, type Rate } from "../access/rate.ts";
import type { FrameTickets } from "./frame-tickets.ts";

/** Of all connections of one sender together. */
export interface SenderLimits {
  /** All frames, as of one connection. */
  readonly messages: Rate;
  /** Of connections that follow many endpoints: subscribes, unsubscribes, and tokens that are renewed. */
  readonly asks: Rate;
  readonly publishes: Rate;
}

/** Of all sockets of a sender: one that goes on all the same has each closed at once. Whoever means well is never refused. */
const REFUSALS: Rate = { perSecond: 100, burst: 10_000 };

export class SenderSpending {
  readonly #now: () => number;
  readonly #said: Readonly<Record<keyof SenderLimits, Buckets>>;
  readonly #refusals = new Buckets(REFUSALS);
  readonly #tickets: FrameTickets | undefined;

  /**
   * @param now Milliseconds that never go back: one clock, whoever asks.
   * @param tickets undefined: nobody counts what is said elsewhere.
   */
  constructor(limits: SenderLimits, now: () => number, tickets?: FrameTickets) {
    this.#now = now;
    this.#tickets = tickets;
    this.#said = {
      messages: new Buckets(limits.messages),
      asks: new Buckets(limits.asks),
      publishes: new Buckets(limits.publishes),
    };
  }

  /** As of a bucket. */
  take(sender: string, what: keyof SenderLimits, count?: number): number {
    const wait = this.#said[what].take(sender, this.#now(), count);
    // What is asked is a frame as well, which has been counted.
    return wait > 0 || what === "asks" ? wait : (this.#tickets?.take(sender) ?? 0);
  }

  /** Notes that something was refused. False if that was too often. */
  bears(sender: string): boolean {
    return this.#refusals.take(sender, this.#now()) === 0;
  }
}
