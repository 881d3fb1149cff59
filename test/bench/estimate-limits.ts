/** Which limits of the platform a plan comes near. Pure. Documented ones, and one core for each object. */
import { LIMITS } from "../../shared/protocol/limits.ts";
import { MEASURED } from "./estimate-measured.ts";
import { type Assumptions, batched, HARSHEST, KINDEST, type Plan, watchedOf } from "./estimate-model.ts";

/** Hibernatable sockets of an object; and as many that it dialled itself. */
const SOCKETS = 32_768;
/** Documented as soft: beyond it an object may answer that it is overloaded. */
const EVENTS_PER_SECOND = 1_000;
/** Of an isolate, which objects of one class may have to share. */
const ISOLATE_BYTES = 128 * 1024 * 1024;
/** Bound of an object's window (edge/endpoint/endpoint-object.ts), and how many updates it keeps by default. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const WINDOW_UPDATES = 100;

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
  const watched = watchedOf(plan);
  const updates = (watched * plan.rate) / plan.shards;
  const rates = (assumptions: Assumptions) => {
    const together = batched(plan, assumptions);
    const { updateMs, deliveryMs } = MEASURED.everything;
    const linkMessages = plan.rate / together.endpoint;
    const shardMs = MEASURED.shardUpdateMs[assumptions.arrival];
    return {
      linkMessages,
      uplinkMessages: updates / together.uplink,
      objectCores: (linkMessages * (updateMs + plan.subscribers * deliveryMs)) / 1_000,
      shardCores: (updates * shardMs) / 1_000,
    };
  };
  const kind = rates(KINDEST);
  const harsh = rates(HARSHEST);
  const window = Math.min(WINDOW_BYTES, WINDOW_UPDATES * plan.messageBytes);
  const objectBytes = window + plan.subscribers * MEASURED.heapBytes.subscriber;
  const links = watched / plan.shards;
  const shardBytes = links * MEASURED.heapBytes.link;
  const fixed = (value: number) => ({ lower: value, upper: value });
  const spread = "an endpoint's fan-out can't be spread over several objects yet";
  const moreShards = "more SHARDS (up to 64)";
  return [
    {
      what: "subscribers of an endpoint",
      ...fixed(plan.subscribers),
      limit: LIMITS.subscribersPerObject,
      remedy: spread,
    },
    { what: "links of a shard", ...fixed(links), limit: SOCKETS, remedy: moreShards },
    {
      what: "messages a second to an endpoint's object",
      lower: kind.linkMessages,
      upper: harsh.linkMessages,
      limit: EVENTS_PER_SECOND,
      remedy: "fewer updates",
    },
    {
      what: "messages a second to a shard",
      lower: kind.uplinkMessages,
      upper: harsh.uplinkMessages,
      limit: EVENTS_PER_SECOND,
      remedy: moreShards,
    },
    {
      what: "cores of an endpoint's object",
      lower: kind.objectCores,
      upper: harsh.objectCores,
      limit: 1,
      remedy: spread,
    },
    {
      what: "cores of a shard",
      lower: kind.shardCores,
      upper: harsh.shardCores,
      limit: 1,
      remedy: moreShards,
    },
    {
      what: "bytes in memory of an endpoint's object",
      ...fixed(objectBytes),
      limit: ISOLATE_BYTES,
      remedy: "a smaller window (streams.json)",
    },
    { what: "bytes in memory of a shard", ...fixed(shardBytes), limit: ISOLATE_BYTES, remedy: moreShards },
  ];
}
