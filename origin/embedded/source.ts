/**
 * The embedded log as a Source.
 *
 * What this process appends wakes its readers at once. What other processes append is found by asking SQLite
 * every 20 ms whether anything was committed: `PRAGMA data_version` takes 2 µs and touches no file, and one
 * timer serves all partitions, and only while a reader waits. Watching the files instead is not reliable: the
 * write-ahead log is written before its commit can be seen, is made anew now and then, and sends no events
 * across many containers' mounts.
 */
import { setImmediate } from "node:timers/promises";
import { epochOf } from "../source/epoch.ts";
import {
  type Batch,
  type PartitionInfo,
  type PartitionTime,
  type ReadRequest,
  type Source,
  SourceError,
} from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { type EmbeddedLog, LogError, type Topic } from "./log.ts";

/** Bounds of one batch; a single larger record makes a batch of its own. */
const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 1024 * 1024;

/** A read at the end of its partition. */
interface Waiter {
  readonly request: ReadRequest;
  /** The end as the read saw it. */
  readonly end: number;
  readonly wake: () => void;
}

export class EmbeddedSource implements Source {
  readonly #log: EmbeddedLog;
  readonly #waiters = new Set<Waiter>();
  readonly #stopListening: () => void;
  #poll: NodeJS.Timeout | undefined;
  #dataVersion: number | undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  /** The log stays its owner's to close, after the source. */
  constructor(log: EmbeddedLog) {
    this.#log = log;
    this.#stopListening = log.onChange((topic) => this.#wake(topic));
  }

  async topics(): Promise<readonly string[]> {
    this.#assertOpen();
    return this.#asking(() => this.#log.topics());
  }

  async offsetAt({ topic, partition, epoch, timestamp }: PartitionTime): Promise<number | undefined> {
    this.#assertOpen();
    return this.#asking(() =>
      this.#log.snapshot(() => {
        partitionOf(this.#log.topic(topic), topic, partition, epoch);
        return this.#log.offsetAt(topic, partition, timestamp);
      }),
    );
  }

  async describe(topic: string): Promise<readonly PartitionInfo[] | undefined> {
    this.#assertOpen();
    return this.#asking(() => {
      const found = this.#log.topic(topic);
      return found?.partitions.map((ends, partition) => ({
        partition,
        epoch: epochOf(found.id, partition),
        ...ends,
      }));
    });
  }

  async read(request: ReadRequest, onBatch: (batch: Batch) => void | Promise<void>): Promise<void> {
    let { from } = request;
    let first = true;
    for (;;) {
      await this.#nextTurn();
      if (this.#closed || request.signal.aborted) return;
      const batch = this.#batch(request, from);
      if (first || batch.records.length > 0) {
        first = false;
        await onBatch(batch);
        from = batch.nextOffset;
      } else await this.#change(request, batch.endOffset);
    }
  }

  /** Ends all reads as if they were aborted. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    for (const { wake } of this.#waiters) wake();
  }

  #assertOpen(): void {
    if (this.#closed) throw new SourceError("unavailable", "the source is closed");
  }

  /**
   * Reading is synchronous, so batches are taken one per turn of the event loop, the partitions in turn: else
   * many of them that catch up would hold up everything else in this process.
   */
  #nextTurn(): Promise<void> {
    this.#turn = this.#turn.then(() => setImmediate());
    return this.#turn;
  }

  #batch({ topic, partition, epoch }: ReadRequest, from: number): Batch {
    return this.#asking(() =>
      this.#log.snapshot(() => {
        const { startOffset, endOffset } = partitionOf(this.#log.topic(topic), topic, partition, epoch);
        if (!(from >= startOffset && from <= endOffset))
          throw new SourceError(
            "offset_out_of_range",
            `${topic}/${partition} holds the offsets from ${startOffset} to before ${endOffset}, not ${from}`,
          );
        const records = this.#log.read(topic, partition, from, BATCH_RECORDS, BATCH_BYTES);
        const last = records.at(-1);
        return { records, nextOffset: last === undefined ? from : last.offset + 1, endOffset };
      }),
    );
  }

  /** Resolves when the partition may no longer be as the read saw it, or the read is to end. */
  #change(request: ReadRequest, end: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(waiter);
        request.signal.removeEventListener("abort", wake);
        if (this.#waiters.size === 0) {
          clearInterval(this.#poll);
          this.#poll = undefined;
        }
        resolve();
      };
      const waiter: Waiter = { request, end, wake };
      this.#waiters.add(waiter);
      request.signal.addEventListener("abort", wake);
      this.#poll ??= setInterval(() => this.#look(), TIME_LIMITS.embeddedLogLookMs).unref();
    });
  }

  /** The version is taken before the topics are looked at, so a commit in between is found the next time. */
  #look(): void {
    try {
      const version = this.#log.dataVersion();
      if (version === this.#dataVersion) return;
      this.#dataVersion = version;
    } catch {
      // Each read meets the error by itself and passes it on.
      for (const { wake } of this.#waiters) wake();
    }
    for (const topic of new Set(Array.from(this.#waiters, ({ request }) => request.topic))) this.#wake(topic);
  }

  /** Wakes the reads of a topic whose partitions are not as they saw them. Never throws into an append. */
  #wake(topic: string): void {
    const waiters = [...this.#waiters].filter(({ request }) => request.topic === topic);
    if (waiters.length === 0) return;
    let found: Topic | undefined;
    try {
      found = this.#log.topic(topic);
    } catch {
      // As above: without a topic to compare with, all wake.
    }
    for (const { request, end, wake } of waiters) {
      const { partition, epoch } = request;
      const same = found !== undefined && epochOf(found.id, partition) === epoch;
      if (!same || found?.partitions[partition]?.endOffset !== end) wake();
    }
  }

  #asking<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      // Of the log's errors a reader can meet these two, and the file being replaced by something else.
      const code = error.code === "unavailable" ? "unavailable" : "corrupt";
      throw new SourceError(code, error.message, { cause: error });
    }
  }
}

function partitionOf(found: Topic | undefined, topic: string, partition: number, epoch: string) {
  if (found === undefined)
    throw new SourceError("unknown_topic", `there is no topic ${JSON.stringify(topic)}`);
  if (epochOf(found.id, partition) !== epoch)
    throw new SourceError("epoch_changed", `${topic}/${partition} is no longer of epoch ${epoch}`);
  const ends = found.partitions[partition];
  if (ends === undefined) throw new SourceError("unknown_topic", `${topic} has no partition ${partition}`);
  return ends;
}
