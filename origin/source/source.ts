/**
 * What the origin needs from a log, and no more: topics, partitions with an identity of their own, and
 * reading one partition from an offset. The embedded log and Kafka both implement it, and both pass the
 * contract suite in test/support/source-contract.ts.
 *
 * There are no consumer groups here: the origin reads every partition it is given, from offsets that its
 * own index remembers, so a restart never waits for a coordinator.
 */

/** A record as the log holds it. */
export interface SourceRecord {
  readonly offset: number;
  /** Milliseconds since 1970; undefined if the log has none. */
  readonly timestamp: number | undefined;
  /** null if the record has no key: it then belongs to no endpoint. */
  readonly key: Uint8Array | null;
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
  /** In the order produced; names may repeat. */
  readonly headers: readonly RecordHeader[];
}

export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/** Records of one partition in offset order, with what lies around them. */
export interface Batch {
  /** May be empty: offsets can hold nothing (control records, an idle partition's first answer), or no longer. */
  readonly records: readonly SourceRecord[];
  /** Where to read next; greater than every offset in `records`. */
  readonly nextOffset: number;
  /**
   * From here to `nextOffset` the log holds all that was written; before it, since where this batch was read from, it
   * doesn't: compaction removed something. Left out if nothing was removed. Marks of transactions, and what these
   * aborted, are no records: that they aren't in `records` says nothing.
   */
  readonly wholeFrom?: number;
  /** The offset that the next record written will get, as last seen; but for what is held back. */
  readonly endOffset: number;
  /**
   * How many offsets from `endOffset` on are taken by records that can't be read yet, because a transaction that is open lies
   * before them. Left out if there are none. It may change without a record: then there is a batch that says so.
   */
  readonly heldBack?: number;
}

/** Whether the log has removed something that was written at or after an offset, and before the batch ends. */
export function isTorn(batch: Batch, from: number): batch is Batch & { readonly wholeFrom: number } {
  return batch.wholeFrom !== undefined && batch.wholeFrom > from;
}

export interface PartitionInfo {
  readonly partition: number;
  /** Names this partition of this incarnation of the topic, for ever: see "Epochs" in shared/PROTOCOL.md. */
  readonly epoch: string;
  /** The oldest offset that the log still holds. */
  readonly startOffset: number;
  readonly endOffset: number;
}

export interface PartitionTime {
  readonly topic: string;
  readonly partition: number;
  /** As with a read. */
  readonly epoch: string;
  readonly timestamp: number;
}

/** A partition that exists, but whose offsets can't be had just now: nobody leads it, or who does can't be asked. */
export interface UnavailablePartition extends Pick<PartitionInfo, "partition" | "epoch"> {
  /** Why, in words. */
  readonly unavailable: string;
}

export type DescribedPartition = PartitionInfo | UnavailablePartition;

export function isAvailable(partition: DescribedPartition): partition is PartitionInfo {
  return !("unavailable" in partition);
}

export interface ReadRequest {
  readonly topic: string;
  readonly partition: number;
  /** Reading ends with `epoch_changed` when the topic is no longer the one that had this epoch. */
  readonly epoch: string;
  /** The first offset wanted. */
  readonly from: number;
  readonly signal: AbortSignal;
  /**
   * Called now and then while no batch comes although the log is at work: an answer is arriving, the log asks to be left
   * alone, or something failed that is tried again. Silence beyond that says that reading hangs.
   */
  readonly alive?: () => void;
  /** The read before this one hung: what it used is to be made anew. */
  readonly anew?: boolean;
}

export interface Source {
  /** The names of all topics that there are, but perhaps of the log's own. */
  topics(): Promise<readonly string[]>;

  /**
   * The topic's partitions in order, all of them, whether or not each can be asked for its offsets; undefined
   * when there is no such topic. Rejects with SourceError if not even that can be said.
   */
  describe(topic: string): Promise<readonly DescribedPartition[] | undefined>;

  /**
   * The first offset of a partition whose record has this time or a later one, in milliseconds since 1970; undefined
   * if none has. Times needn't be in order: what lies before the offset is older, what follows may be. Records
   * without a time are older than any. Rejects with SourceError.
   */
  offsetAt(at: PartitionTime): Promise<number | undefined>;

  /**
   * Reads one partition until `signal` aborts, then resolves. `onBatch` is awaited before the next call, so
   * a slow partition holds back only itself. It is called at least once promptly, with no records when
   * there are none, so that the caller learns where the end is. Rejects with SourceError; what `onBatch`
   * throws is passed on as it is.
   */
  read(request: ReadRequest, onBatch: (batch: Batch) => void | Promise<void>): Promise<void>;

  close(): Promise<void>;
}

/**
 * - `unknown_topic`: the topic does not exist (any more).
 * - `epoch_changed`: the topic was created again; describe it anew.
 * - `offset_out_of_range`: `from` lies outside what the log holds; describe it anew.
 * - `truncated`: the log has lost records that were read before `from`, and may hold others at their offsets.
 * - `unavailable`: the log cannot be reached just now; try again later.
 * - `corrupt`: a record can't be read; trying again won't help.
 */
export type SourceErrorCode =
  | "unknown_topic"
  | "epoch_changed"
  | "offset_out_of_range"
  | "truncated"
  | "unavailable"
  | "corrupt";

export class SourceError extends Error {
  readonly code: SourceErrorCode;

  constructor(code: SourceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SourceError";
    this.code = code;
  }
}
