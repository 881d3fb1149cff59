/**
 * What `/healthz` and `/readyz` answer. An answer at all shows that the process runs; the body says the rest, in
 * words, and has a bounded length however many partitions there are.
 */
import type { Partition } from "../partitions.ts";
import { lagOf, type PartitionState, type Status, stateOf, totalsOf } from "../status.ts";

/** More partitions than these aren't listed; those that need attention come first. */
const LISTED = 500;
const MAX_REASONS = 10;

export interface Health {
  /** Whether the answer is 200, and not 503. */
  readonly ok: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

const NOT_RUNNING = "the origin starts, or builds its index anew";

/** Whether the process does its work. It isn't a reason to end it that Kafka or the edge are away. */
export function healthOf(status: Status | undefined): Health {
  const reasons: string[] = [];
  if (status === undefined) reasons.push(NOT_RUNNING);
  else if (status.indexError !== undefined) reasons.push(`the index can't be written: ${status.indexError}`);
  const index = status && totalsOf(status);
  return { ok: reasons.length === 0, body: { healthy: reasons.length === 0, reasons, index } };
}

/** Whether every partition has been read to the end that it had at start, and every shard has its uplink. */
export function readinessOf(status: Status | undefined): Health {
  if (status === undefined) return { ok: false, body: { ready: false, reasons: [NOT_RUNNING] } };
  const reasons = whyNotReady(status);
  const ok = reasons.length === 0;
  const sorted = status.partitions.toSorted(byNeed);
  return {
    ok,
    body: {
      ready: ok,
      reasons: bounded(reasons),
      topics: status.topics,
      partitions: sorted.slice(0, LISTED).map(partitionBody),
      partitionsNotListed: Math.max(0, sorted.length - LISTED),
      shards: status.uplinks,
      watched: status.watched,
      index: totalsOf(status),
    },
  };
}

function whyNotReady({ topics, partitions, uplinks }: Status): string[] {
  return [
    ...uplinks
      .filter(({ state }) => state !== "active" && state !== "standby")
      .map(({ shard, reason }) => `shard ${shard} has no uplink${reason === undefined ? "" : `: ${reason}`}`),
    ...topics.filter(({ state }) => state === "unknown").map(({ topic }) => `${topic} is not described yet`),
    ...partitions
      .filter(({ ready }) => !ready)
      .map(
        ({ topic, partition, next, end, error }) =>
          `${topic}/${partition} is read up to ${next} of ${end}${error === undefined ? "" : `: ${error}`}`,
      ),
  ];
}

function bounded(reasons: readonly string[]): readonly string[] {
  const more = reasons.length - MAX_REASONS;
  return more > 0 ? [...reasons.slice(0, MAX_REASONS), `and ${more} more`] : reasons;
}

const NEED = { stopped: 0, failing: 1, "catching-up": 2, live: 3 } as const satisfies Record<
  PartitionState,
  number
>;

function byNeed(a: Partition, b: Partition): number {
  return NEED[stateOf(a)] - NEED[stateOf(b)] || lagOf(b) - lagOf(a);
}

function partitionBody(partition: Partition) {
  const { topic, partition: number, epoch, next, end, error } = partition;
  const state = stateOf(partition);
  return { topic, partition: number, epoch, offset: next, end, lag: lagOf(partition), state, error };
}
