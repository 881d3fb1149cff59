/** Where an origin stands: for its log, its health and its metrics. */
import type { Slice } from "../../shared/protocol/slice.ts";
import type { IndexFacts, PartitionFacts } from "../index/views.ts";
import type { PublishCounts } from "../publish/door.ts";
import { isReady, type Listing, type Partition, type Partitions } from "../reading/partitions.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { EdgeFacts } from "../uplink/edges.ts";
import type { WatchCounts } from "../watch/counts.ts";

/**
 * - `unknown`: not described yet.
 * - `absent`: there is no such topic just now; it is looked for again and again.
 * - `found`: its partitions are read.
 */
export type TopicState = "unknown" | "absent" | "found";

/** Records that have no endpoint (A5), and values that don't travel (F8), since their partitions were begun. */
export interface LeftOut {
  readonly keyless: number;
  readonly keyTooLong: number;
  readonly omitted: number;
}

export interface TopicStatus extends LeftOut {
  readonly topic: string;
  readonly state: TopicState;
  readonly partitions: number;
  /** Why it can't be described just now; what was known of it goes on to be read meanwhile. */
  readonly error: string | undefined;
  /** Records, or offsets that hold none, from the next to read to the end. */
  readonly lag: number;
}

/** What shards want to know of other edges: of how many endpoints, and how often they were told nothing. */
export interface OccupancyFacts {
  readonly endpoints: number;
  readonly refused: number;
}

export interface Status {
  /** Every partition has been read to the end that it had at start. */
  readonly ready: boolean;
  /** Of the partitions that this origin reads. */
  readonly slice: Slice;
  readonly topics: readonly TopicStatus[];
  readonly listing: Listing;
  readonly partitions: readonly Partition[];
  readonly edges: readonly EdgeFacts[];
  /** Endpoints. */
  readonly watched: number;
  readonly watchCounts: WatchCounts;
  readonly publishCounts: PublishCounts;
  readonly occupancy: OccupancyFacts;
  readonly index: IndexFacts;
  /** Why the index can't be written; undefined while it can. */
  readonly indexError: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Milliseconds, of the clock that partitions are held back by. */
  readonly elapsed: number;
}

/** More partitions than this aren't listed one by one. */
const LISTED = 8;

export function statusOf({
  partitions,
  topics,
  ...rest
}: Omit<Status, "ready" | "topics" | "listing" | "partitions"> & {
  readonly partitions: Partitions;
  readonly topics: readonly string[];
}): Status {
  const facts = Map.groupBy(rest.index.partitions, ({ topic }) => topic);
  return {
    ...rest,
    ready: partitions.ready,
    partitions: partitions.all(),
    listing: partitions.listingFacts,
    topics: topics.map((topic) => ({
      ...topicStatus(topic, partitions.of(topic), partitions.count(topic), facts.get(topic) ?? []),
      error: partitions.errorOf(topic),
    })),
  };
}

function topicStatus(
  topic: string,
  partitions: readonly Partition[] | undefined,
  count: number | undefined,
  facts: readonly PartitionFacts[],
): Omit<TopicStatus, "error"> {
  const state = count === undefined ? "unknown" : count === 0 ? "absent" : "found";
  const lag = partitions?.reduce((sum, partition) => sum + lagOf(partition), 0) ?? 0;
  return { topic, state, partitions: partitions?.length ?? 0, lag, ...leftOut(facts) };
}

function leftOut(parts: readonly LeftOut[]): LeftOut {
  const sum = { keyless: 0, keyTooLong: 0, omitted: 0 };
  for (const { keyless, keyTooLong, omitted } of parts) {
    sum.keyless += keyless;
    sum.keyTooLong += keyTooLong;
    sum.omitted += omitted;
  }
  return sum;
}

export function lagOf({ next, end }: Partition): number {
  return Math.max(0, end - next);
}

/** Longer than transactions usually take. */
export const HELD_SECONDS = TIME_LIMITS.heldBackMs / 1_000;

/** Whether so much time has passed that people should know of it. */
export function isHeldLong(partition: Partition, elapsed: number): boolean {
  return heldSeconds(partition, elapsed) >= HELD_SECONDS;
}

/** For how long nothing of what is held back has been let go; 0 if nothing is. */
export function heldSeconds({ heldSince }: Partition, elapsed: number): number {
  return heldSince === undefined ? 0 : Math.max(0, elapsed - heldSince) / 1_000;
}

/**
 * - `catching-up`: not yet read to the end that it had at start.
 * - `live`: it has been.
 * - `failing`: reading it failed, and is tried again.
 * - `stopped`: it holds what can't be read, and stays so until the origin restarts.
 */
export type PartitionState = "catching-up" | "live" | "failing" | "stopped";

export function stateOf({ stage, trouble }: Partition): PartitionState {
  if (trouble !== undefined) return trouble.kind === "stopped" ? "stopped" : "failing";
  return stage.kind === "ready" ? "live" : "catching-up";
}

export interface IndexTotals {
  /** On disk and within bounds. */
  readonly records: number;
  /** Latest records kept beyond the bounds. */
  readonly kept: number;
  readonly bytes: number;
  readonly diskBytes: number;
  /** How far back the index reaches where it reaches furthest; undefined if it holds nothing. */
  readonly horizonAgeSeconds: number | undefined;
}

export function totalsOf({ index, now }: Status): IndexTotals {
  let records = 0;
  let bytes = 0;
  let kept = 0;
  let oldestAt = Number.POSITIVE_INFINITY;
  for (const partition of index.partitions) {
    records += partition.records;
    bytes += partition.bytes;
    kept += partition.kept;
    oldestAt = Math.min(oldestAt, partition.oldestAt ?? oldestAt);
  }
  const horizonAgeSeconds = Number.isFinite(oldestAt) ? Math.max(0, now - oldestAt) / 1_000 : undefined;
  return { records, kept, bytes, diskBytes: index.diskBytes, horizonAgeSeconds };
}

/** In short: numbers, and the partitions that need attention. */
export function summarize({ ready, watched, topics, partitions, elapsed }: Status): Record<string, unknown> {
  const unready = partitions.filter((partition) => !isReady(partition));
  const failing = partitions.filter(({ trouble }) => trouble !== undefined);
  const held = partitions.filter((partition) => isHeldLong(partition, elapsed));
  return {
    ready,
    watched,
    ...leftOut(topics),
    partitions: partitions.length,
    unready: list(unready, ({ next, end }) => `at ${next} of ${end}`),
    failing: list(failing, ({ trouble }) => trouble?.error ?? ""),
    heldBack: list(held, ({ heldBack }) => `${heldBack} records`),
  };
}

/** undefined if there is nothing to list, which leaves the field out. */
function list(
  partitions: readonly Partition[],
  detail: (partition: Partition) => string,
): string[] | undefined {
  if (partitions.length === 0) return undefined;
  const shown = partitions.slice(0, LISTED).map((one) => `${one.topic}/${one.partition} ${detail(one)}`);
  const more = partitions.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more`] : shown;
}

/** Whether people should look at it though nothing has just changed. */
export function needsAttention({ ready, partitions }: Status): boolean {
  return !ready || partitions.some(({ trouble }) => trouble !== undefined);
}
