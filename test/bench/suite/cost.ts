/**
 * What an update and a delivery cost: a grid of loads on the product and on the floors, and a line through each,
 * `CPU = a × updates + b × deliveries`.
 */
import type { BenchSettings, Result } from "../bench.ts";
import { type Fit, fitCost } from "../fit.ts";
import type { SystemName } from "../systems.ts";
import { BASE, type Context, measure, STAGE } from "./context.ts";

/**
 * Endpoints, and subscribers of each. What doesn't fit the machine's limit of open files is left out. Few subscribers of
 * few endpoints are not among them: to be measurable they would need so many updates that several share a message.
 */
const GRID: readonly (readonly [endpoints: number, each: number])[] = [
  [1, 1_000],
  [1, 5_000],
  [10, 100],
  [10, 500],
  [100, 1],
  [100, 10],
  [100, 50],
  [300, 1],
  [300, 10],
  [1_000, 1],
  [1_000, 5],
  [3_000, 1],
];

/** A publisher's socket for each endpoint: the floor of a delivery, not of many endpoints. */
const FEEDS_UP_TO = 300;

/** What workerd may take, roughly: chosen so that each point keeps it busy for about a third of the time. */
const UPDATE_US = 200;
const DELIVERY_US = 26;
const BUSY_US = 350_000;

export interface Cost {
  readonly results: readonly Result[];
  /** Microseconds of workerd's CPU. `a` of `floor-feeds` has no link in it, and is no floor of ours. */
  readonly edge: Readonly<Partial<Record<SystemName, Fit>>>;
  /** Microseconds of the origin's CPU. */
  readonly origin: Fit | undefined;
}

export async function cost(context: Context): Promise<Cost> {
  const results: Result[] = [];
  for (const [endpoints, each] of GRID) {
    const rate = BUSY_US / (endpoints * (UPDATE_US + DELIVERY_US * each));
    for (const system of ["distributary", "floor-uplink", "floor-feeds"] as const) {
      if (system === "floor-feeds" && endpoints > FEEDS_UP_TO) continue;
      const bench: BenchSettings = {
        ...BASE,
        system,
        endpoints,
        clients: endpoints * each,
        popularity: "even",
      };
      const result = await measure(context, bench, { ...STAGE, rate, warmUpSeconds: 2, seconds: 6 });
      if (result !== undefined) results.push(result);
    }
  }
  const of = (system: SystemName, part: string) => fitCost(samplesOf(results, system, part));
  const edge: Partial<Record<SystemName, Fit>> = {};
  for (const system of ["distributary", "floor-uplink", "floor-feeds"] as const) {
    const line = of(system, "edge");
    if (line !== undefined) edge[system] = line;
  }
  return { results, edge, origin: of("distributary", "origin") };
}

function samplesOf(results: readonly Result[], system: SystemName, part: string) {
  return results
    .filter((result) => result.settings.system === system)
    .map(({ watchedUpdatesPerSecond, messagesPerSecond, cpu }) => ({
      updates: watchedUpdatesPerSecond,
      deliveries: messagesPerSecond,
      cost: (cpu[part] ?? 0) * 10_000,
    }))
    .filter(({ cost }) => cost > 0);
}
