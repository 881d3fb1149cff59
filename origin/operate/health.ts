/**
 * What `/healthz` and `/readyz` answer. An answer at all shows that the process runs; the body says the rest, in
 * words, and has a bounded length however many partitions there are.
 */
import { formatSlice } from "../../shared/protocol/slice.ts";
import { isReady, type Partition } from "../reading/partitions.ts";
import { isOpen } from "./samples.ts";
import {
  heldSeconds,
  isHeldLong,
  lagOf,
  type PartitionState,
  type Status,
  stateOf,
  totalsOf,
} from "./status.ts";

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

/** Whether every partition has been read to the end that it had at start, and every shard of every edge has its uplink. */
export function readinessOf(status: Status | undefined): Health {
  if (status === undefined) return { ok: false, body: { ready: false, reasons: [NOT_RUNNING] } };
  const reasons = whyNotReady(status);
  const ok = reasons.length === 0;
  const sorted = status.partitions.toSorted(byNeed(status.elapsed));
  return {
    ok,
    body: {
      ready: ok,
      reasons: bounded(reasons),
      unseen: bounded(whatIsUnseen(status)),
      slice: formatSlice(status.slice),
      topics: status.topics,
      partitions: sorted.slice(0, LISTED).map((partition) => partitionBody(partition, status.elapsed)),
      partitionsNotListed: Math.max(0, sorted.length - LISTED),
      edges: status.edges.map(({ edge, uplinks }) => ({
        edge,
        open: uplinks.every(isOpen),
        shards: uplinks,
      })),
      watched: status.watched,
      index: totalsOf(status),
    },
  };
}

function whyNotReady({ topics, listing, partitions, edges }: Status): string[] {
  return [
    ...edges.flatMap(whyNotOpen),
    ...(listing.isKnown ? [] : [`it isn't known yet which topics match patterns${why(listing.error)}`]),
    ...topics
      .filter(({ state }) => state === "unknown")
      .map(({ topic, error }) => `${topic} is not described yet${why(error)}`),
    ...partitions
      .filter((partition) => !isReady(partition))
      .map(
        ({ topic, partition, next, end, trouble }) =>
          `${topic}/${partition} is read up to ${next} of ${end}${why(trouble?.error)}`,
      ),
  ];
}

/** In one reason if the whole edge is away, so that others have room. */
function whyNotOpen({ edge, uplinks }: Status["edges"][number]): string[] {
  const closed = uplinks.filter((uplink) => !isOpen(uplink));
  if (closed.length === uplinks.length) return [`there is no uplink to ${edge}${why(closed[0]?.reason)}`];
  return closed.map(({ shard, reason }) => `there is no uplink to shard ${shard} of ${edge}${why(reason)}`);
}

/** Why records may exist that no subscriber sees, whether or not it is ready; what isn't read yet is told as such. */
function whatIsUnseen({ topics, listing, partitions, elapsed }: Status): string[] {
  const long = partitions.filter((partition) => isHeldLong(partition, elapsed));
  return [
    ...partitions
      .filter(({ trouble }) => trouble !== undefined)
      .map(
        ({ topic, partition, next, trouble }) =>
          `${topic}/${partition} isn't read on from ${next}${why(trouble?.error)}`,
      ),
    ...long
      .toSorted((a, b) => heldSeconds(b, elapsed) - heldSeconds(a, elapsed))
      .map((one) => {
        const { topic, partition, end, heldBack } = one;
        const seconds = Math.floor(heldSeconds(one, elapsed));
        return `${topic}/${partition}: a transaction that is open holds back ${heldBack} records from ${end} on, for ${seconds} s`;
      }),
    ...topics
      .filter(({ error }) => error !== undefined)
      .map(({ topic, error }) => `new partitions of ${topic} aren't found${why(error)}`),
    ...(listing.error === undefined
      ? []
      : [`new topics that match patterns aren't found${why(listing.error)}`]),
    ...(listing.leftOut === 0
      ? []
      : [`${listing.leftOut} topics match patterns, but are too many to be read`]),
  ];
}

const why = (error: string | undefined): string => (error === undefined ? "" : `: ${error}`);

function bounded(reasons: readonly string[]): readonly string[] {
  const more = reasons.length - MAX_REASONS;
  return more > 0 ? [...reasons.slice(0, MAX_REASONS), `and ${more} more`] : reasons;
}

const NEED = { stopped: 0, failing: 1, "catching-up": 2, live: 3 } as const satisfies Record<
  PartitionState,
  number
>;

const byNeed =
  (elapsed: number) =>
  (a: Partition, b: Partition): number =>
    NEED[stateOf(a)] - NEED[stateOf(b)] ||
    heldSeconds(b, elapsed) - heldSeconds(a, elapsed) ||
    lagOf(b) - lagOf(a);

function partitionBody(partition: Partition, elapsed: number) {
  const { topic, partition: number, epoch, next, end, trouble } = partition;
  const state = stateOf(partition);
  const held = partition.heldBack > 0 && {
    heldBack: { records: partition.heldBack, seconds: Math.floor(heldSeconds(partition, elapsed)) },
  };
  return {
    topic,
    partition: number,
    epoch,
    offset: next,
    end,
    lag: lagOf(partition),
    ...held,
    state,
    error: trouble?.error,
  };
}
