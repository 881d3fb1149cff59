/**
 * What all sockets of one sender may say and be sent together, an address or the subject of tokens: S20, S27 and M10 of
 * PROTOCOL.md. In memory only, and of as many senders as are remembered.
 */
import { Buckets, type Rate } from "../access/rate.ts";
import type { Tickets } from "./tickets.ts";

/** Of all connections of one sender together. */
export interface SenderLimits {
  /** All frames, as of one connection. */
  readonly messages: Rate;
  /** Of connections that follow many endpoints: subscribes, unsubscribes, and tokens that are renewed. */
  readonly asks: Rate;
  readonly publishes: Rate;
  /** Updates of the past that are sent to them. */
  readonly replayed: Rate;
}

/** Who counts what passes elsewhere; undefined: nobody. */
export interface SenderTickets {
  readonly frames: Tickets | undefined;
  readonly replayed: Tickets | undefined;
}

const NOBODY: SenderTickets = { frames: undefined, replayed: undefined };

/** Of all sockets of a sender: one that goes on all the same has each closed at once. Whoever means well is never refused. */
const REFUSALS: Rate = { perSecond: 100, burst: 10_000 };
/** Senders of whom it is remembered. */
const MOST_EXPECTED = 10_000;

export class SenderSpending {
  readonly #now: () => number;
  readonly #said: Readonly<Record<Exclude<keyof SenderLimits, "replayed">, Buckets>>;
  readonly #replayed: Buckets;
  readonly #refusals = new Buckets(REFUSALS);
  /** How many updates of the past were answered last, of those for whom these were many. */
  readonly #expected = new Map<string, number>();
  readonly #tickets: SenderTickets;

  /** @param now Milliseconds that never go back: one clock, whoever asks. */
  constructor(limits: SenderLimits, now: () => number, tickets = NOBODY) {
    this.#now = now;
    this.#tickets = tickets;
    this.#said = {
      messages: new Buckets(limits.messages),
      asks: new Buckets(limits.asks),
      publishes: new Buckets(limits.publishes),
    };
    this.#replayed = new Buckets(limits.replayed);
  }

  /** As of a bucket. */
  take(sender: string, what: "messages" | "asks" | "publishes", count?: number): number {
    const wait = this.#said[what].take(sender, this.#now(), count);
    // What is asked is a frame as well, which has been counted.
    return wait > 0 || what === "asks" ? wait : (this.#tickets.frames?.take(sender) ?? 0);
  }

  /** Milliseconds until more of the past may be sent; 0: now. */
  replayWaitMs(sender: string): number {
    const here = this.#replayed.waitMs(sender, this.#now());
    return Math.max(here, this.#tickets.replayed?.waitMs(sender) ?? 0);
  }

  /** So many updates of the past were sent. How many these would be wasn't known before. */
  replayed(sender: string, updates: number): void {
    this.#replayed.spend(sender, this.#now(), updates);
    this.#tickets.replayed?.spend(sender, updates);
  }

  /** An origin is asked for more of the past, most likely for as much as was answered last. */
  asksReplay(sender: string): void {
    const updates = this.#expected.get(sender) ?? 0;
    if (updates > 0) this.replayed(sender, updates);
  }

  /** So many updates were answered. */
  answeredReplay(sender: string, updates: number): void {
    this.#expected.delete(sender);
    if (updates > 0) this.#expected.set(sender, updates);
    const [least] = this.#expected.keys();
    if (this.#expected.size > MOST_EXPECTED && least !== undefined) this.#expected.delete(least);
  }

  /** Notes that something was refused. False if that was too often. */
  bears(sender: string): boolean {
    return this.#refusals.take(sender, this.#now()) === 0;
  }
}
