/**
 * What one sender may say on all sockets of single endpoints that are held here, whichever endpoints those are: S20 of
 * PROTOCOL.md. It is one count for all objects of an isolate, by one clock: objects that live longer than others may tell
 * another time (surroundings.ts). On workerd by itself rooms run elsewhere, and have a count of their own.
 */
import type { Env } from "../env.ts";
import { senderLimits } from "../http/sender-limits.ts";
import { SteadyClock } from "../surroundings.ts";
import { SenderSpending } from "./sender-spending.ts";

const clock = new SteadyClock(() => Date.now());
let spending: SenderSpending | undefined;

export function ofSingleEndpoints(env: Env): SenderSpending {
  spending ??= new SenderSpending(senderLimits(env), () => clock.now());
  return spending;
}
