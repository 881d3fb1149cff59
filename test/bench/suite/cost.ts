/**
 * What an update and a delivery cost: a grid of loads on the product and on the floors, and a line through each,
 * `CPU = a × updates + b × deliveries`. At each point all systems run at once and are under load in turns, so that what
 * else the machine does befalls all of them alike.
 */
import type { Bench, BenchSettings, Result } from "../bench.ts";
import { type Fit, fitCost } from "../fit.ts";
import type { SystemName } from "../systems.ts";
import { BASE, type Context, STAGE, scaled, using } from "./context.ts";

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

const COMPARED = ["distributary", "floor-uplink", "floor-feeds"] as const;

/** The turns of each system. From one to the next must pass less than the 10 s after which objects hibernate. */
const TURNS = 2;
const TURN = { ...STAGE, warmUpSeconds: 1, seconds: 3 };
/** Of the first turn: what runs for the first time is compiled meanwhile. */
const FIRST_WARM_UP_SECONDS = 2;

export async function cost(context: Context): Promise<Cost> {
  const results: Result[] = [];
  for (const [point, [endpoints, each]] of GRID.entries()) {
    const rate = BUSY_US / (endpoints * (UPDATE_US + DELIVERY_US * each));
    const load = { ...BASE, endpoints, clients: endpoints * each, popularity: "even" } as const;
    const compared = COMPARED.filter((system) => system !== "floor-feeds" || endpoints <= FEEDS_UP_TO);
    // Nobody is always the first.
    const first = point % compared.length;
    const order = [...compared.slice(first), ...compared.slice(0, first)];
    const benches = order.map((system) => ({ ...load, system }));
    const measured = await usingAll(context, benches, async (running) => {
      const turns: Result[][] = [];
      for (let turn = 0; turn < TURNS; turn++) {
        const warmUpSeconds = turn === 0 ? FIRST_WARM_UP_SECONDS : TURN.warmUpSeconds;
        const stage = scaled(context, { ...TURN, warmUpSeconds, rate });
        const taken: Result[] = [];
        for (const bench of running) taken.push(await bench.stage(stage));
        turns.push(taken);
      }
      return running.flatMap((_, i) => together(turns.flatMap((taken) => taken[i] ?? [])) ?? []);
    });
    results.push(...(measured ?? []));
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

/** A point that doesn't fit the machine is left out for all. */
async function usingAll<T>(
  context: Context,
  [first, ...others]: readonly BenchSettings[],
  use: (running: readonly Bench[]) => Promise<T>,
): Promise<T | undefined> {
  if (first === undefined) return use([]);
  return using(context, first, context.kafka, (bench) =>
    usingAll(context, others, (running) => use([bench, ...running])),
  );
}

/** The last of several turns, with the CPU, the counts and the rate of all of them. */
export function together(turns: readonly Result[]): Result | undefined {
  const last = turns.at(-1);
  const mean = (of: (result: Result) => number) =>
    turns.reduce((sum, turn) => sum + of(turn), 0) / turns.length;
  const means = (of: (result: Result) => Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.keys(last === undefined ? {} : of(last)).map((name) => [
        name,
        mean((turn) => of(turn)[name] ?? 0),
      ]),
    );
  return (
    last && {
      ...last,
      messagesPerSecond: mean(({ messagesPerSecond }) => messagesPerSecond),
      cpu: means(({ cpu }) => cpu),
      cpuPerDelivery: means(({ cpuPerDelivery }) => cpuPerDelivery),
      cpuPerUpdate: means(({ cpuPerUpdate }) => cpuPerUpdate),
      operations: last.operations && means(({ operations }) => operations ?? {}),
    }
  );
}
