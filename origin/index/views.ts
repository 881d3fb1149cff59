/** What the index answers. */
import type { Position } from "../../shared/protocol/position.ts";
import type { PageLimits } from "./history.ts";
import type { IndexedRecord } from "./record.ts";

/** Where to read on, and why not where reading ended, if so: for the log. */
export interface Begun {
  readonly from: number;
  /**
   * - `new`: the partition was not known.
   * - `epoch`: the topic was created again.
   * - `hole`: the log no longer holds what comes next.
   * - `truncated`: the log ends before what was read.
   * - `removed`: the log no longer holds all of what comes next.
   */
  readonly anew: "new" | "epoch" | "hole" | "truncated" | "removed" | undefined;
}

/** One partition of an endpoint's topic, with what is known of the endpoint's key there. */
export interface PartitionView {
  readonly partition: number;
  readonly epoch: string;
  /** Every record with a key that was written from here to before `checkpoint` is held. */
  readonly horizon: number;
  /**
   * Before it the log had removed something when it was read. What is held from there is the last of its key only once
   * the partition is ready.
   */
  readonly wholeFrom: number;
  readonly checkpoint: number;
  /**
   * Before it the log deleted records while this origin was off, and could tell nobody. A receiver that stands before it
   * may hold one of them.
   */
  readonly deletedTo: number;
  /** Offset of the key's last record; undefined if none is held. */
  readonly tail: number | undefined;
}

export interface Page {
  /** In order of arrival; in the order of offsets within an epoch. */
  readonly records: readonly IndexedRecord[];
  /** Whether there are more: ask again from the last of each epoch. */
  readonly more: boolean;
}

export interface Latest {
  /** undefined if nothing of the key is held. */
  readonly record: IndexedRecord | undefined;
  /** The key's last offset in each epoch in which it is held. */
  readonly position: Position;
}

export interface RecentLimits extends PageLimits {
  readonly maxAgeMs: number;
  readonly now: number;
}

export interface PartitionFacts {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  readonly horizon: number;
  readonly checkpoint: number;
  /** On disk and within bounds; what is about to be written not yet. */
  readonly records: number;
  readonly bytes: number;
  /** Latest records kept beyond the bounds. */
  readonly kept: number;
  /** Since the partition was begun: records that belong to no endpoint, and values that were too large. */
  readonly keyless: number;
  readonly keyTooLong: number;
  readonly omitted: number;
  /** Milliseconds since 1970: time of the youngest record in the oldest batch; undefined if there is no batch. */
  readonly oldestAt: number | undefined;
}

/** Since the index was opened. */
export interface IndexCounts {
  /** Batches that were taken. */
  readonly appends: number;
  /** Spent taking them, which includes writing if that was due. */
  readonly appendMs: number;
  /** Records that were dropped, for their age or for the bounds. */
  readonly dropped: number;
}

export interface IndexFacts {
  readonly partitions: readonly PartitionFacts[];
  readonly counts: IndexCounts;
  /** Of the files; they do not shrink, but what was dropped in them is used again. */
  readonly diskBytes: number;
}
