/**
 * What the watch list needs of the index (origin/index/). Reads are synchronous and see everything that was
 * appended, so that reading and going live can be one step (U6).
 */
import type { Position } from "../../shared/protocol/position.ts";
import type { PageLimits } from "../index/history.ts";
import type { IndexedRecord } from "../index/record.ts";
import type { Begun, Latest, Page, PartitionView, RecentLimits } from "../index/views.ts";
import type { Batch, PartitionInfo } from "../source/source.ts";

/** What was read of the log, by endpoint: a topic and a key's bytes. */
export interface History {
  /** Every partition of the topic that was begun, with what is known of the key there. */
  views(topic: string, key: Uint8Array): readonly PartitionView[];
  latest(topic: string, key: Uint8Array): Latest;
  after(topic: string, key: Uint8Array, from: Position, limits: PageLimits): Page;
  recent(topic: string, key: Uint8Array, limits: RecentLimits): readonly IndexedRecord[];
}

/** The same, with the way in. */
export interface WritableHistory extends History {
  /** Whether it was built by an origin of another slice, and what this one reads may be new to it. */
  readonly isResharded: boolean;
  /** Of which anything is known. */
  topics(): ReadonlySet<string>;
  /** @param removed whether `append` has refused what comes next. */
  begin(topic: string, info: PartitionInfo, start: number, removed?: boolean): Begun;
  /** Forgets what it holds of a partition from before the log's start; returns whether that has moved. */
  forget(topic: string, info: PartitionInfo): boolean;
  /** Forgets what was known of other partitions of the topic: it was created again. */
  retain(topic: string, epochs: ReadonlySet<string>): void;
  /** Returns the records that were not taken before. Throws IndexError `removed` if what comes next is no longer whole. */
  append(topic: string, partition: number, epoch: string, batch: Batch): readonly IndexedRecord[];
}
