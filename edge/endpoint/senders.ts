/**
 * What one sender may say and be sent on all sockets that are held here: S20 and S27 of PROTOCOL.md. Those of single endpoints have
 * one count for all objects of an isolate, whichever endpoints these are of. On workerd by itself rooms run elsewhere, and have a
 * count of their own.
 */
import { logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import type { RateLimiter } from "../http/quotas.ts";
import { senderLimits } from "../http/sender-limits.ts";
import { SteadyClock } from "../surroundings.ts";
import { SenderSpending, type SenderTickets } from "./sender-spending.ts";
import { TICKET_FRAMES, TICKET_REPLAYED, Tickets } from "./tickets.ts";

/** Objects that live longer than others may tell another time (surroundings.ts): what they share has a clock of its own. */
const clock = new SteadyClock(() => Date.now());
let singles: SenderSpending | undefined;
let tickets: SenderTickets | undefined;

export function ofSingleEndpoints(env: Env): SenderSpending {
  singles ??= ofAnObject(env);
  return singles;
}

/** Of an object whose sockets are counted by themselves. */
export function ofAnObject(env: Env): SenderSpending {
  const now = () => clock.now();
  const ticketsOf = (limiter: RateLimiter | undefined, size: number, what: string) =>
    limiter && new Tickets(limiter, size, now, (problem) => logProblem(`a quota of ${what}`, problem));
  tickets ??= {
    frames: ticketsOf(env.FRAMES, TICKET_FRAMES, "frames"),
    replayed: ticketsOf(env.REPLAYED, TICKET_REPLAYED, "replays"),
  };
  return new SenderSpending(senderLimits(env), now, tickets);
}
