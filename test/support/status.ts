/** The status of an origin, made up. */
import type { PartitionFacts } from "../../origin/index/views.ts";
import { type Status, statusOf } from "../../origin/operate/status.ts";
import { type Beginning, type Listing, type Partition, Partitions } from "../../origin/reading/partitions.ts";
import type { EdgeFacts } from "../../origin/uplink/edges.ts";
import type { UplinkFacts } from "../../origin/uplink/uplinks.ts";
import { newWatchCounts } from "../../origin/watch/counts.ts";
import { WHOLE } from "../../shared/protocol/slice.ts";

export const NOW = 1_763_690_000_000;

/** What is held back began to be so at 0. */
const ELAPSED = 12_500;

export interface MadeUp {
  /** Of the topic `t`, by number; those not told of are ready at 4 of 4. */
  readonly partitions?: readonly (Partial<Pick<Partition, "next" | "end" | "heldBack">> & {
    readonly ready?: boolean;
    readonly error?: string;
    /** It failed for good. */
    readonly stopped?: boolean;
  })[];
  /** More topics, which aren't described, or don't exist. */
  readonly unknown?: readonly string[];
  readonly absent?: readonly string[];
  /** Why `t` can't be described. */
  readonly undescribable?: string;
  readonly listing?: Listing;
  /** Of `https://edge.example`. */
  readonly uplinks?: readonly Partial<UplinkFacts>[];
  /** Uplinks of other edges, by name. */
  readonly otherEdges?: Readonly<Record<string, readonly Partial<UplinkFacts>[]>>;
  readonly index?: readonly Partial<PartitionFacts>[];
  readonly indexError?: string;
  readonly watched?: number;
}

export function madeUpStatus(madeUp: MadeUp = {}): Status {
  const { partitions: states = [{}], unknown = [], absent = [], uplinks = [{}], index = [] } = madeUp;
  const topics = ["t", ...unknown, ...absent];
  const partitions = new Partitions(topics, madeUp.listing === undefined, () => 0);
  for (const topic of absent) partitions.describe(topic, []);
  const beginnings = states.map(({ next = 4, end = 4, ready = true }, partition): Beginning => {
    // Ready is what has been read to the end that it began with.
    return { partition, epoch: `e.${partition}`, next, end: ready ? next : Math.max(end, next + 1) };
  });
  partitions.describe("t", beginnings);
  for (const [
    number,
    { next = 4, end = 4, heldBack = 0, ready = true, error, stopped },
  ] of states.entries()) {
    const epoch = `e.${number}`;
    if (ready) partitions.advance("t", epoch, { records: [], nextOffset: next, endOffset: end, heldBack });
    if (stopped) partitions.stop("t", epoch, error ?? "");
    else if (error !== undefined) partitions.fail("t", epoch, error);
  }
  partitions.describing("t", madeUp.undescribable);
  if (madeUp.listing?.isKnown)
    partitions.listed(
      [],
      Array.from({ length: madeUp.listing.leftOut }, (_, i) => `more-${i}`),
    );
  partitions.listing(madeUp.listing?.error);
  return statusOf({
    slice: WHOLE,
    partitions,
    topics,
    watched: madeUp.watched ?? 0,
    watchCounts: newWatchCounts(),
    publishCounts: { outcomes: new Map([["published", 3]]), tookMs: 1_500 },
    occupancy: { endpoints: 2, refused: 1 },
    edges: Object.entries({ "https://edge.example": uplinks, ...madeUp.otherEdges }).map(edgeFacts),
    index: {
      partitions: index.map(partitionFacts),
      counts: { appends: 0, appendMs: 0, dropped: 0 },
      diskBytes: 0,
    },
    indexError: madeUp.indexError,
    now: NOW,
    elapsed: ELAPSED,
  });
}

const edgeFacts = ([edge, uplinks]: [string, readonly Partial<UplinkFacts>[]]): EdgeFacts => ({
  edge,
  uplinks: uplinks.map((uplink, shard) => ({
    ...{ shard, state: "active", reason: undefined, congested: false, backlogBytes: 0, ...uplink },
  })),
  sentBytes: 0,
  counts: { congested: 0, closed: 0, refused: 0 },
});

const partitionFacts = (facts: Partial<PartitionFacts>, partition: number): PartitionFacts => ({
  ...{
    topic: "t",
    partition,
    epoch: `e.${partition}`,
    horizon: 0,
    checkpoint: 4,
    records: 1,
    bytes: 1,
    kept: 0,
  },
  ...{ keyless: 0, keyTooLong: 0, omitted: 0, oldestAt: undefined, ...facts },
});
