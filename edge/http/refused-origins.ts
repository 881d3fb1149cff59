/** What the log is told of origins that are refused: anybody can be, as often as they like. */
import { Bucket } from "../access/rate.ts";
import { SteadyClock } from "../surroundings.ts";

export const REFUSALS_TOLD = { perSecond: 1, burst: 20 } as const;

const clock = new SteadyClock(() => Date.now());
const lines = new Bucket(REFUSALS_TOLD);
let untold = 0;

export function tellRefused(problem: string): void {
  if (lines.take(clock.now()) > 0) {
    untold++;
    return;
  }
  const others = untold === 0 ? "" : ` (and ${untold} before, of which nothing is told)`;
  untold = 0;
  console.warn(`an origin was refused: ${problem}${others}`);
}
