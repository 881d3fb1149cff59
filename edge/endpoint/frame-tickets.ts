/**
 * What a sender says on all its sockets, whichever isolates these are in: S20 of PROTOCOL.md, as far as the platform counts it. It
 * is asked for a ticket of many frames at once, when the one before is used up, and nobody waits for it: asking for each frame
 * would take longer than answering it. So each isolate lets pass a ticket more than the platform does.
 */
import type { RateLimiter } from "../http/quotas.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** Of a ticket. */
export const TICKET_FRAMES = 100;
/** The platform doesn't say when. */
const LATER_MS = TIME_LIMITS.ticketAgainMs;
/** Senders that are remembered. */
const MOST = 10_000;

interface Ticket {
  left: number;
  isAsked: boolean;
  /** Until then it has none. */
  until: number;
}

export class FrameTickets {
  readonly #limiter: RateLimiter;
  readonly #now: () => number;
  readonly #log: (problem: unknown) => void;
  /** Whoever said something last is the last in order. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(limiter: RateLimiter, now: () => number, log: (problem: unknown) => void) {
    this.#limiter = limiter;
    this.#now = now;
    this.#log = log;
  }

  /** 0 if a frame may pass now; else the milliseconds until it may. */
  take(sender: string): number {
    const ticket = this.#tickets.get(sender) ?? { left: TICKET_FRAMES, isAsked: false, until: 0 };
    this.#tickets.delete(sender);
    this.#tickets.set(sender, ticket);
    const [least] = this.#tickets.keys();
    if (this.#tickets.size > MOST && least !== undefined) this.#tickets.delete(least);
    const wait = ticket.until - this.#now();
    if (wait > 0) return wait;
    ticket.left--;
    if (ticket.left <= 0 && !ticket.isAsked) void this.#ask(sender, ticket);
    return 0;
  }

  /** Whoever can't be counted may pass. */
  async #ask(key: string, ticket: Ticket): Promise<void> {
    ticket.isAsked = true;
    try {
      if (!(await this.#limiter.limit({ key })).success) ticket.until = this.#now() + LATER_MS;
    } catch (error) {
      this.#log(error);
    }
    ticket.isAsked = false;
    ticket.left = TICKET_FRAMES;
  }
}
