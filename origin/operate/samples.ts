/** Where the values of metrics come from, and how many series there may be: from the status, and from what was counted. */
import type { Partition } from "../reading/partitions.ts";
import type { Meter } from "./meter.ts";
import type { Status } from "./status.ts";

export interface Scrape {
  /** Undefined while no origin runs in this process. */
  readonly status: Status | undefined;
  readonly meter: Meter;
  /** Of the package. */
  readonly version: string;
}

/** A value, and a value for each label. */
export type Sample = readonly [value: number, ...labels: string[]];

export interface Metric {
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  readonly help: string;
  readonly read: (scrape: Scrape) => Iterable<Sample>;
}

/** Partitions with series of their own; those beyond are counted in their topics' only. */
export const MAX_PARTITIONS = 1_000;
/** The same for topics. */
export const MAX_TOPICS = 1_000;

export const PARTITION = ["topic", "partition"] as const;

/** One number of the status. */
export const single =
  (value: (status: Status) => number | undefined): Metric["read"] =>
  ({ status }) => {
    const found = status && value(status);
    return found === undefined ? [] : [[found]];
  };

export const perPartition =
  (value: (partition: Partition, elapsed: number) => number): Metric["read"] =>
  ({ status }) =>
    (status?.partitions ?? [])
      .slice(0, MAX_PARTITIONS)
      .map((one) => [value(one, status?.elapsed ?? 0), one.topic, String(one.partition)]);

export const perTopic =
  (value: (topic: Status["topics"][number]) => number): Metric["read"] =>
  ({ status }) =>
    (status?.topics ?? []).slice(0, MAX_TOPICS).map((one) => [value(one), one.topic]);

type Edge = Status["edges"][number];
type Uplink = Edge["uplinks"][number];

export const perEdge =
  (value: (edge: Edge) => number): Metric["read"] =>
  ({ status }) =>
    (status?.edges ?? []).map((one) => [value(one), one.edge]);

export const UPLINK = ["edge", "shard"] as const;

export const perUplink =
  (value: (uplink: Uplink) => number): Metric["read"] =>
  ({ status }) =>
    (status?.edges ?? []).flatMap(({ edge, uplinks }) =>
      uplinks.map((one): Sample => [value(one), edge, String(one.shard)]),
    );

export const isOpen = ({ state }: Uplink): boolean => state === "active" || state === "standby";

export const readOf =
  (value: (counts: { records: number; bytes: number }) => number): Metric["read"] =>
  ({ meter }) =>
    Array.from(meter.read, ([topic, counts]): Sample => [value(counts), topic]).slice(0, MAX_TOPICS);
