/** What two things measured in turns cost beside each other. Pure. */
import { fitCost, type Sample } from "./fit.ts";

export interface Ratio {
  readonly median: number;
  /** The second lowest and the second highest of at least eight rounds hold the true median with 93% and more. */
  readonly low: number;
  readonly high: number;
}

/** A round: the samples of all loads, of one thing and of the other. */
export interface Round {
  readonly now: readonly Sample[];
  readonly before: readonly Sample[];
}

/** What an update (a) and a delivery (b) cost now, as a share of what they cost before. */
export function costRatios(rounds: readonly Round[]): { readonly a: Ratio; readonly b: Ratio } | undefined {
  const fits = rounds.map(({ now, before }) => ({ now: fitCost(now), before: fitCost(before) }));
  const of = (field: "a" | "b") =>
    ratio(fits.flatMap(({ now, before }) => (now && before ? now[field] / before[field] : [])));
  const [a, b] = [of("a"), of("b")];
  return a && b && { a, b };
}

/** Undefined if there are fewer than three. */
export function ratio(shares: readonly number[]): Ratio | undefined {
  const sorted = shares.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[1], sorted.at(-2)];
  const [under, over] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (sorted.length < 3 || low === undefined || high === undefined) return undefined;
  if (under === undefined || over === undefined) return undefined;
  return { median: (under + over) / 2, low, high };
}
