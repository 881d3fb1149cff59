/** How subscriptions spread over endpoints, and people over regions. Pure. */

export const POPULARITIES = ["even", "zipf"] as const;
export type Popularity = (typeof POPULARITIES)[number];

/** Endpoints that are equally popular. */
export interface Popular {
  readonly endpoints: number;
  /** Which share of all subscriptions each of them has. */
  readonly share: number;
}

/** Beyond so many the next ones are taken together, a fiftieth more at a time: they hardly differ. */
const APART = 200;
const WIDER = 1.02;

/** The most popular first. All shares add up to 1. `zipf`: the second one is half as popular as the first, and so on. */
export function popularityOf(endpoints: number, popularity: Popularity): readonly Popular[] {
  if (popularity === "even" || endpoints <= 1) return [{ endpoints, share: 1 / endpoints }];
  const groups: Popular[] = [];
  for (let before = 0; before < endpoints; ) {
    const until = Math.min(endpoints, before < APART ? before + 1 : Math.ceil(before * WIDER));
    const weight = until - before === 1 ? 1 / until : Math.log((until + 0.5) / (before + 0.5));
    groups.push({ endpoints: until - before, share: weight / (until - before) });
    before = until;
  }
  const sum = groups.reduce((total, group) => total + group.endpoints * group.share, 0);
  return groups.map((group) => ({ ...group, share: group.share / sum }));
}

/** How many endpoints somebody wants of so many subscriptions that are drawn at random: what an object that holds them watches. */
export function watchedBy(subscriptions: number, popularity: readonly Popular[]): number {
  return popularity.reduce(
    (sum, { endpoints, share }) => sum - endpoints * Math.expm1(-subscriptions * share),
    0,
  );
}

/** Of the subscriptions, by the platform's location hints, the largest region first. Assumed: nobody has counted them. */
export const REGIONS: Readonly<Record<string, number>> = {
  weur: 0.24,
  enam: 0.22,
  apac: 0.18,
  wnam: 0.14,
  eeur: 0.08,
  sam: 0.06,
  oc: 0.03,
  afr: 0.03,
  me: 0.02,
};
