/** What it takes to read topics and partitions, and how that is tried again: consumer.ts says what, and how it ends. */
import { setTimeout } from "node:timers/promises";
import { type BackoffBounds, backoff } from "../../shared/core/backoff.ts";
import type { Slice } from "../../shared/protocol/slice.ts";
import { IndexError } from "../index/error.ts";
import type { Log } from "../operate/log.ts";
import type { Troubles } from "../operate/troubles.ts";
import { type Source, SourceError } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Forwarder } from "./forwarder.ts";
import type { Partitions } from "./partitions.ts";
import type { StallBounds } from "./stall.ts";

export interface ReadContext {
  readonly source: Source;
  /** Partitions of other slices are described, but not read. */
  readonly slice?: Slice;
  readonly forwarder: Forwarder;
  readonly partitions: Partitions;
  readonly log: Log;
  readonly troubles: Troubles;
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Reading can't go on at all. */
  readonly fatal: (error: unknown) => void;
  readonly timing: ReadTiming;
}

export interface ReadTiming {
  readonly retry: BackoffBounds;
  /** How often a topic that doesn't exist is looked for, in milliseconds. */
  readonly absentMs: number;
  /** How often a topic is looked at for new partitions, and patterns for new topics, in milliseconds. */
  readonly describeMs: number;
  /** How long a topic that matched a pattern must be gone until the index forgets it, in milliseconds. */
  readonly forgetMs: number;
  /** When reading a partition hangs, unless that is as usual. */
  readonly stall?: StallBounds;
}

/** What can be reached again shall be read again soon: a source sees to it that trying costs its log little. */
const UNAVAILABLE_MAX_MS = TIME_LIMITS.readAgainUnavailableMs;

/** How long to wait before the next try. @param code What failed. */
export function retryDelay({ timing, random }: ReadContext, failures: number, code = "unavailable"): number {
  const { baseMs, maxMs } = timing.retry;
  const most = code === "unavailable" ? Math.min(maxMs, UNAVAILABLE_MAX_MS) : maxMs;
  return Math.ceil(backoff(failures, { baseMs, maxMs: most }, random()));
}

export function partitionName(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** Tells of a partition that can't be read for now. */
export function partitionFailed(
  { troubles }: ReadContext,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  reason: { readonly code: string; readonly message: string },
  retryMs: number,
): void {
  const name = partitionName(topic, partition);
  troubles.befall(name, "partition_failed", { topic, partition, ...reason, retryMs });
}

/** Tells of a partition whose reading hung, and is begun anew. */
export function partitionStalled(
  { troubles }: ReadContext,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  { code, message }: { readonly code: string; readonly message: string },
  retryMs: number,
): void {
  const name = partitionName(topic, partition);
  // By name: which one it is, and for how long, is what people need.
  troubles.befall(name, "partition_stalled", {
    topic,
    partition,
    code,
    message: `${name}: ${message}`,
    retryMs,
  });
}

/** Whether the time passed without a signal. */
export async function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await setTimeout(ms, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether it makes sense to try again, or to go on without one partition. Anything else is a fault of the
 * program, or an index that must be opened anew: going on could lose records in silence.
 */
export function isPassing(error: unknown): error is SourceError | IndexError {
  if (error instanceof SourceError) return true;
  return error instanceof IndexError && (error.code === "disk_failed" || error.code === "removed");
}

/** What a log or a trouble says of an error with a code. */
export function reasonOf({ code, message }: { readonly code: string; readonly message: string }) {
  return { code, message };
}
