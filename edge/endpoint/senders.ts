/**
 * What one sender may say on all sockets that are held here: S20 of PROTOCOL.md. Those of single endpoints have one count for all
 * objects of an isolate, whichever endpoints these are of. On workerd by itself rooms run elsewhere, and have a count of their own.
 */
import { logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import { senderLimits } from "../http/sender-limits.ts";
import { SteadyClock } from "../surroundings.ts";
import { FrameTickets } from "./frame-tickets.ts";
import { SenderSpending } from "./sender-spending.ts";

/** Objects that live longer than others may tell another time (surroundings.ts): what they share has a clock of its own. */
const clock = new SteadyClock(() => Date.now());
let singles: SenderSpending | undefined;
let tickets: FrameTickets | undefined;

export function ofSingleEndpoints(env: Env): SenderSpending {
  singles ??= ofAnObject(env);
  return singles;
}

/** Of an object whose sockets are counted by themselves. */
export function ofAnObject(env: Env): SenderSpending {
  const now = () => clock.now();
  if (env.FRAMES !== undefined)
    tickets ??= new FrameTickets(env.FRAMES, now, (problem) => logProblem("a quota of frames", problem));
  return new SenderSpending(senderLimits(env), now, tickets);
}
