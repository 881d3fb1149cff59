/** Which limits of the platform a plan comes near. Pure. Documented ones, and one core for each object. */
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Assumptions, HARSHEST, KINDEST } from "./estimate-assumptions.ts";
import { batched, layoutOfPlan, type Plan, watchedOf } from "./estimate-events.ts";
import { MEASURED } from "./estimate-measured.ts";

/** Hibernatable sockets of an object; and as many that it dialled itself. */
const SOCKETS = 32_768;
/** Documented as soft: beyond it an object may answer that it is overloaded. */
const EVENTS_PER_SECOND = 1_000;
/** Of an isolate, which objects of one class may have to share. */
const ISOLATE_BYTES = 128 * 1024 * 1024;

export interface Limit {
  readonly what: string;
  /** Under the kindest and under the harshest assumptions; in the unit of `limit`. */
  readonly lower: number;
  readonly upper: number;
  readonly limit: number;
  /** What to do about it. */
  readonly remedy: string;
}

export function limitsOf(plan: Plan): Limit[] {
  const layout = layoutOfPlan(plan);
  if (layout === undefined) return [];
  const { fullest, shards } = layout;
  const updates = (watchedOf(plan) * plan.rate) / shards;
  const links = layout.links / shards;
  const rates = (assumptions: Assumptions) => {
    const together = batched(plan, assumptions, shards);
    const gathers = plan.shape === "direct" ? together.endpoint : 1;
    // Each update is routed once, and once more for each further link that it goes to.
    const more = Math.max(0, (layout.watches * plan.rate) / shards - updates);
    const { arrival } = assumptions;
    return {
      linkMessages: fullest.messages / gathers,
      uplinkMessages: updates / together.uplink,
      objectCores: fullest.cores / gathers,
      shardCores:
        (updates * MEASURED.shardUpdateMs[arrival] + more * MEASURED.shardLinkUpdateMs[arrival]) / 1_000,
    };
  };
  const kind = rates(KINDEST);
  const harsh = rates(HARSHEST);
  const fixed = (value: number) => ({ lower: value, upper: value });
  const other = "another shape";
  const moreShards = "more SHARDS (up to 64)";
  return [
    {
      what: "connections of an object",
      ...fixed(fullest.sockets),
      limit: LIMITS.subscribersPerObject,
      remedy: other,
    },
    { what: "links of a shard", ...fixed(links), limit: SOCKETS, remedy: moreShards },
    {
      what: "messages a second to an object of subscribers",
      lower: kind.linkMessages,
      upper: harsh.linkMessages,
      limit: EVENTS_PER_SECOND,
      remedy: "fewer updates, or, where they are gathered, for longer, or fewer SHARDS",
    },
    {
      what: "messages a second to a shard",
      lower: kind.uplinkMessages,
      upper: harsh.uplinkMessages,
      limit: EVENTS_PER_SECOND,
      remedy: moreShards,
    },
    {
      what: "cores of an object of subscribers",
      lower: kind.objectCores,
      upper: harsh.objectCores,
      limit: 1,
      remedy: other,
    },
    {
      what: "cores of a shard",
      lower: kind.shardCores,
      upper: harsh.shardCores,
      limit: 1,
      remedy: moreShards,
    },
    {
      what: "bytes in memory of an object of subscribers",
      ...fixed(fullest.bytes),
      limit: ISOLATE_BYTES,
      remedy: "a smaller window (streams.json)",
    },
    {
      what: "bytes in memory of a shard",
      ...fixed(links * MEASURED.heapBytes.link),
      limit: ISOLATE_BYTES,
      remedy: moreShards,
    },
    ...(plan.shape === "shards" ? [{ what: "shards", ...fixed(shards), limit: 64, remedy: other }] : []),
  ];
}
