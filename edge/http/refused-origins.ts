/** What the log is told of origins that are refused: anybody can be, as often as they like. */
import { BoundedLog } from "../bounded-log.ts";
import { SteadyClock } from "../surroundings.ts";

export const REFUSALS_TOLD = { perSecond: 1, burst: 20 } as const;

const clock = new SteadyClock(() => Date.now());
const refusals = new BoundedLog(REFUSALS_TOLD);

export function tellRefused(problem: string): void {
  const line = refusals.line(`an origin was refused: ${problem}`, clock.now());
  if (line !== undefined) console.warn(line);
}
