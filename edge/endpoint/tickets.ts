/**
 * What all sockets of a sender say or are sent, whichever isolates these are in: S20 and S27 of PROTOCOL.md, as far as the platform
 * counts it. It is asked for a ticket of many at once, when the one before is used up, and nobody waits for it: asking for each
 * would take longer than doing it. So each isolate lets pass a ticket more than the platform does.
 */
import type { RateLimiter } from "../http/quotas.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** Of a ticket. */
export const TICKET_FRAMES = 100;
export const TICKET_REPLAYED = 1_000;
/** The platform doesn't say when. */
const LATER_MS = TIME_LIMITS.ticketAgainMs;
/** Senders that are remembered. */
const MOST = 10_000;

interface Ticket {
  /** Below 0: so many have passed that no ticket was for yet. */
  left: number;
  isAsked: boolean;
  /** Until then it has none. */
  until: number;
}

export class Tickets {
  readonly #limiter: RateLimiter;
  readonly #size: number;
  readonly #now: () => number;
  readonly #log: (problem: unknown) => void;
  /** Whoever was counted last is the last in order. */
  readonly #tickets = new Map<string, Ticket>();

  /** @param size Of a ticket. */
  constructor(limiter: RateLimiter, size: number, now: () => number, log: (problem: unknown) => void) {
    this.#limiter = limiter;
    this.#size = size;
    this.#now = now;
    this.#log = log;
  }

  /** Milliseconds until one more may pass; 0: now. */
  waitMs(sender: string): number {
    const ticket = this.#tickets.get(sender);
    return ticket === undefined ? 0 : Math.max(0, ticket.until - this.#now());
  }

  /** 0 if one may pass now; else the milliseconds until it may. */
  take(sender: string): number {
    const wait = this.waitMs(sender);
    if (wait === 0) this.spend(sender, 1);
    return wait;
  }

  /** So many have passed, whether or not they might. */
  spend(sender: string, count: number): void {
    const ticket = this.#tickets.get(sender) ?? { left: this.#size, isAsked: false, until: 0 };
    this.#tickets.delete(sender);
    this.#tickets.set(sender, ticket);
    const [least] = this.#tickets.keys();
    if (this.#tickets.size > MOST && least !== undefined) this.#tickets.delete(least);
    ticket.left -= count;
    if (ticket.left <= 0 && !ticket.isAsked) void this.#ask(sender, ticket);
  }

  /** One ticket after the other, until all that has passed is paid. Whoever can't be counted may pass. */
  async #ask(key: string, ticket: Ticket): Promise<void> {
    ticket.isAsked = true;
    try {
      while (ticket.left <= 0) {
        const { success } = await this.#limiter.limit({ key });
        // When it may pass again, it may have one.
        if (!success) ticket.until = this.#now() + LATER_MS;
        ticket.left = success ? ticket.left + this.#size : this.#size;
      }
    } catch (error) {
      this.#log(error);
      ticket.left = this.#size;
    }
    ticket.isAsked = false;
  }
}
