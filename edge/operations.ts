/**
 * Counts what the platform bills, and a little beside it, so that a run can be priced and tests can see that
 * an object hibernated. Kept in the memory of the isolate, where it costs nothing: on one machine what its isolates
 * counted is the whole truth.
 */

/** The closed set of names, and what each counts. */
export const OPERATIONS = {
  worker_request: "requests that the Worker answered",
  "object_request.endpoint": "requests to endpoint objects: subscribes and links (billed)",
  "object_request.relay": "requests to relays, which hold many endpoints: connections and links (billed)",
  "object_request.shard": "requests to shards: uplinks (billed)",
  "rpc.shard":
    "calls of shards: attach, latest, occupancy, publish, status, revocations (billed as requests)",
  "object_created.endpoint": "times that an endpoint object began to run, new or woken",
  "object_created.relay": "times that a relay began to run, new or woken",
  "object_created.shard": "times that a shard began to run",
  "websocket_message_in.endpoint_link":
    "messages from a shard to endpoint objects (20 are billed as a request)",
  "websocket_message_in.endpoint_subscriber": "messages from subscribers (20 are billed as a request)",
  "websocket_message_in.relay_link": "messages from shards to relays (20 are billed as a request)",
  "websocket_message_in.relay_connection":
    "messages from clients of many endpoints (20 are billed as a request)",
  "websocket_message_in.shard_uplink": "messages from origins to shards (20 are billed as a request)",
  "websocket_message_in.shard_link":
    "messages from endpoint objects and relays to shards, on sockets that these dialled",
  "websocket_message_out.endpoint": "messages to subscribers (free)",
  "websocket_message_out.relay": "messages to clients of many endpoints (free)",
  "websocket_message_out.shard": "messages from shards to endpoint objects and relays (free)",
  "verdict.window": "subscribers that resumed from what an endpoint object had in memory",
  "verdict.index": "subscribers that resumed with an answer of an origin, from its index",
  "verdict.log": "subscribers that resumed with an answer for which an origin read Kafka again",
  "verdict.fresh": "subscribers that asked for no position and began with the latest update",
  "verdict.lost": "subscribers that were told that continuity is lost, and began anew with the latest update",
  "frame_refused.uplink": "frames of origins that were dropped: their key may not say that, or nobody could",
  rows_read: "SQLite rows read (billed)",
  rows_written: "SQLite rows written (billed)",
  alarm: "alarms (billed as requests); there are none",
} as const;

export type Operation = keyof typeof OPERATIONS;

/** Each looked up once to be counted, which is done several times for an update. */
const counts = new Map(Object.keys(OPERATIONS).map((name) => [name as Operation, { times: 0 }]));

export function count(operation: Operation, times = 1): void {
  const counted = counts.get(operation);
  if (counted !== undefined) counted.times += times;
}

/**
 * Every name, with how often it was counted since the isolate began. `elsewhere` is what another isolate told; to ask it
 * was no request that anybody would bill.
 */
export function operations(elsewhere: Readonly<Record<string, number>> = {}): Record<string, number> {
  const { worker_request: _, ...others } = elsewhere;
  return Object.fromEntries(
    Object.keys(OPERATIONS).map((name) => [
      name,
      (counts.get(name as Operation)?.times ?? 0) + (others[name] ?? 0),
    ]),
  );
}

/** What another edge at the same address counted, which has requests of its own, added to this one's. */
export function addOperations(
  own: Readonly<Record<string, number>>,
  other: Readonly<Record<string, number>> = {},
): Record<string, number> {
  return Object.fromEntries(Object.entries(own).map(([name, times]) => [name, times + (other[name] ?? 0)]));
}
