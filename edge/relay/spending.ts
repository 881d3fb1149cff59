/**
 * What a connection may ask of a relay, by itself (../endpoint/connection-limits.ts), and with all others of the same address, or
 * of the same subject of tokens: M10 of PROTOCOL.md. In memory only: whoever sleeps was asked little.
 */
import { Buckets } from "../access/rate.ts";
import { type ConnectLimits, type SenderLimits, Spending } from "../endpoint/connection-limits.ts";
import type { HibernatingPeer } from "../peer.ts";
import type { Connection } from "./connection.ts";

type Who = Pick<Connection, "socket" | "sender">;

export class RelaySpending {
  readonly #own: Spending<HibernatingPeer>;
  readonly #bySender: Readonly<Record<keyof SenderLimits, Buckets>>;

  constructor(limits: ConnectLimits, bySender: SenderLimits) {
    this.#own = new Spending(limits);
    this.#bySender = { asks: new Buckets(bySender.asks), publishes: new Buckets(bySender.publishes) };
  }

  /** Milliseconds until this may be done; 0 if it may now. `count`: as how many it counts. */
  take(
    { socket, sender }: Who,
    what: "messages" | "asks" | "publishes",
    now: number,
    count?: number,
  ): number {
    const own = this.#own.take(socket, what, now, count);
    if (own > 0 || sender === undefined || what === "messages") return own;
    return this.#bySender[what].take(sender, now, count);
  }

  /** Notes that something was refused. False if that was too often. */
  bears({ socket }: Who, now: number): boolean {
    return this.#own.bears(socket, now);
  }
}
