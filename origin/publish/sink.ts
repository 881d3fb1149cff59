/**
 * What publishing needs from a log, and no more: a partition can be claimed, so that one writer alone appends to it; the
 * claim knows what was published before. The embedded log and Kafka both implement it, and both pass the contract suite
 * in test/support/sink-contract.ts.
 */
import type { Guarantee, WriterNumber } from "../../shared/protocol/publish.ts";
import type { RecordHeader } from "../source/source.ts";
import type { Mark } from "./mark.ts";

export interface SinkRecord {
  readonly key: Uint8Array;
  /** null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  /** Becomes one more header, behind the others. */
  readonly mark: Mark;
}

/** A publish that the log holds. */
export interface KnownPublish extends Mark {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

/** A topic, by the epochs of its partitions, as it has so many of them. */
export interface TopicCount {
  readonly topic: string;
  readonly epochs: readonly string[];
}

export interface ClaimRequest {
  readonly topic: string;
  readonly partition: number;
  /** Of the partition, as in its positions: a topic that was created again has others. */
  readonly epoch: string;
  /** How far back publishes are to be known. */
  readonly windowMs: number;
  /** Told of what the log holds of the window, about in order; of some more than once. */
  readonly learn: (publish: KnownPublish) => void;
  readonly signal: AbortSignal;
}

/**
 * The right to append to a partition, until another claim is made. By then, all that earlier claims had appended was learnt,
 * and nothing that they still have under way will ever be appended.
 */
export interface Claim {
  /** The higher of two has the partition: compared by id, then by epoch. */
  readonly writer: WriterNumber;
  /**
   * How many the topic had when this was claimed. Whoever claims the partition later finds as many or more: nobody appends
   * there any more by a smaller count.
   */
  readonly partitions: number;
  /** What is promised of a publish if the log can't see to it that it is one record; undefined if it can. */
  readonly guarantee: Guarantee | undefined;
  /** Why the log can't be relied on to know a publish for the whole window, with the remedy; undefined if it can. */
  readonly forgets: string | undefined;
  /** Aborts when it is found lost while nothing is sent. */
  readonly lost: AbortSignal;
  /** The next records in order, to be sent, again and again until their outcome is known, before others are made. */
  batch(records: readonly SinkRecord[], timestamp: number): SinkBatch;
  /** Nothing is sent any more. */
  release(): void;
}

export interface SinkBatch {
  /**
   * Never rejects. Not to be called again before it has resolved.
   * @param isLate Asked right before it leaves, whatever has held that up: if it is, it isn't sent.
   */
  send(isLate: () => boolean): Promise<BatchOutcome>;
}

/**
 * - `appended`: at this offset, and those that follow it.
 * - `refused`: the log takes no such batch; nothing was appended, and another may take its place. `tooLarge` batches may
 *   do in parts.
 * - `notNow`: nothing was appended, by no try, and the log takes nothing just now; another batch may take its place.
 * - `unknown`: perhaps appended, perhaps not yet; to be sent again.
 * - `fenced`: another has claimed the partition. Nothing was appended by this try.
 * - `stale`: the claim is of no use any more, and it isn't known whether the batch was appended: claim it anew.
 */
export type BatchOutcome =
  | { readonly kind: "appended"; readonly offset: number }
  | { readonly kind: "refused"; readonly why: RefusalCode; readonly message: string }
  | { readonly kind: "notNow"; readonly message: string }
  | { readonly kind: "unknown"; readonly message: string }
  | { readonly kind: "fenced" }
  | { readonly kind: "stale"; readonly message: string };

export type RefusalCode = "tooLarge" | "forbidden" | "invalid";

export interface Sink {
  /** The epochs of a topic's partitions, in order; undefined if there is no such topic. Rejects with SinkError. */
  partitions(topic: string): Promise<readonly string[] | undefined>;
  /** Rejects with SinkError. */
  claim(request: ClaimRequest): Promise<Claim>;
  /** Whether somebody has said that nobody publishes any more as if the topic had fewer partitions. Rejects with SinkError. */
  isSettled(topic: TopicCount): Promise<boolean>;
  /** Says so to all that will ask. Rejects with SinkError. */
  settle(topic: TopicCount): Promise<void>;
  close(): Promise<void>;
}

/**
 * - `unavailable`: the log can't be reached just now; try again.
 * - `fenced`: another claimed it meanwhile.
 * - `changed`: the topic is no longer the one that had this epoch.
 * - `forbidden`: this client may not write there.
 */
export type SinkErrorCode = "unavailable" | "fenced" | "changed" | "forbidden";

export class SinkError extends Error {
  readonly code: SinkErrorCode;

  constructor(code: SinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SinkError";
    this.code = code;
  }
}
