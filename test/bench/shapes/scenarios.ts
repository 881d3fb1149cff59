/** The audiences and shapes of the table in docs/fan-out.md, priced, and watched in virtual time. Pure. */
import { layoutOfPlan, type Plan } from "../estimate-events.ts";
import { limitsOf } from "../estimate-limits.ts";
import { type Bounds, dollarsOf, passing, VARIANTS, type Variant } from "../estimate-shapes.ts";
import { seeded } from "../load/chance.ts";
import type { Layout } from "./layouts.ts";
import type { Popularity } from "./popularity.ts";
import { type Observed, simulate } from "./simulation.ts";

export interface Scenario {
  readonly connections: number;
  readonly each: number;
  readonly popularity: Popularity;
}

export interface Row extends Variant {
  readonly gatherMs: number;
  readonly shards: number;
  readonly layout: Layout;
  readonly dollars: Bounds;
  /** The fullest object that gathers; undefined if none does. */
  readonly observed: Observed | undefined;
  readonly passed: readonly string[];
}

const ENDPOINTS = 10_000;
/** Of virtual time. */
const SECONDS = 4;
const SHARDS = [1, 2, 4, 8, 16, 32, 64];
/** The default, if none of these will do. */
const DEFAULT_SHARDS = 4;

export const SCENARIOS: readonly Scenario[] = [1_000_000, 10_000_000].flatMap((connections) =>
  [1, 50].flatMap((each) =>
    (["even", "zipf"] as const).map((popularity) => ({ connections, each, popularity })),
  ),
);

/** Each shape that can hold the audience; those with many endpoints in an object, with links, for two times of gathering. */
export function rowsOf(scenario: Scenario): Row[] {
  return VARIANTS.flatMap((variant) => {
    // What gathers nothing of many endpoints, or is the same as another row, has one.
    if (variant.shape === "both" && scenario.each > 1) return [];
    const gathers = variant.shape === "relays" || variant.shape === "buckets";
    return (gathers && variant.carriers === "messages" ? [25, 100] : [25]).flatMap((gatherMs) => {
      const plan = fewestShards({ ...planOf(scenario), ...variant, gatherMs });
      const layout = layoutOfPlan(plan);
      if (layout === undefined) return [];
      const passed = limitsOf(plan).flatMap((limit) => (passing(limit) === "no" ? [] : [limit.what]));
      const observed = gathers ? simulate(fullestOf(plan, layout), SECONDS, seeded(7)) : undefined;
      const { shards } = layout;
      return [{ ...variant, gatherMs, shards, layout, dollars: dollarsOf(plan), observed, passed }];
    });
  });
}

function planOf({ connections, each, popularity }: Scenario): Plan {
  return {
    endpoints: ENDPOINTS,
    watched: 1,
    rate: 1,
    subscribers: (connections * each) / ENDPOINTS,
    each,
    popularity,
    regions: 9,
    shape: "direct",
    carriers: "messages",
    shards: 1,
    gatherMs: 25,
    streams: 0,
    polls: 0,
    reconnects: 1,
    restarts: 13,
    gets: 0,
    cached: 0,
    occupancy: 0,
    publishes: 0,
    messageBytes: 250,
    pingSeconds: 15,
    batchMs: 2,
    revocations: 0,
  };
}

/** As few shards as do: links are as many as objects and shards multiplied. */
function fewestShards(plan: Plan): Plan {
  const fits = (shards: number) => limitsOf({ ...plan, shards }).every((limit) => passing(limit) === "no");
  return { ...plan, shards: SHARDS.find(fits) ?? DEFAULT_SHARDS };
}

/** One like the fullest, with endpoints that are equally popular. */
function fullestOf({ each, rate, gatherMs }: Plan, { fullest, links, objects, watches }: Layout) {
  const perObject = Math.max(1, Math.round(watches / objects));
  return {
    links: Math.max(1, Math.round(links / objects)),
    watches: perObject,
    rate,
    gatherMs,
    connections: fullest.sockets,
    each,
  };
}
