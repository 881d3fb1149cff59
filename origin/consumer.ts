/**
 * Reads every partition of every exposed topic, each by itself: one that fails, waits or is slow delays no
 * other. Nothing is ever skipped in silence.
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   describing a topic fails                backoff     never: its partitions stay as they are
 *   the topic doesn't exist                 absentMs    never: it may still be created
 *   reading fails                           backoff     never: the partition is in error meanwhile
 *   the log no longer holds what is next    backoff     begins anew: loud, and subscribers are told
 *   the topic is another one                backoff     described anew
 *   a record can't be read                  –           the partition stays stopped, loudly
 *
 * What is tried again is told of once, however long it takes and however many partitions it befalls.
 */
import { setImmediate, setTimeout } from "node:timers/promises";
import { type BackoffBounds, backoff } from "../shared/core/backoff.ts";
import type { Stream, Streams } from "../shared/protocol/streams.ts";
import type { Forwarder } from "./forwarder.ts";
import { IndexError } from "./index/error.ts";
import type { Log } from "./log.ts";
import type { Partitions } from "./partitions.ts";
import { type PartitionInfo, type Source, SourceError } from "./source.ts";
import { Troubles } from "./troubles.ts";

export interface ConsumerOptions {
  readonly source: Source;
  readonly streams: Streams;
  readonly forwarder: Forwarder;
  readonly partitions: Partitions;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** Reading can't go on at all. */
  readonly fatal: (error: unknown) => void;
  readonly timing?: ConsumerTiming;
}

export interface ConsumerTiming {
  readonly retry: BackoffBounds;
  /** How often a topic that doesn't exist is looked for, in milliseconds. */
  readonly absentMs: number;
  /** How often a topic is looked at for new partitions, in milliseconds. */
  readonly describeMs: number;
}

const TIMING: ConsumerTiming = {
  retry: { baseMs: 200, maxMs: 10_000 },
  absentMs: 1_000,
  describeMs: 10_000,
};

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #timing: ConsumerTiming;
  readonly #stopping = new AbortController();
  #topics: Promise<void>[] = [];

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
  }

  start(): void {
    const { streams, log, fatal } = this.#options;
    const troubles = new Troubles(log);
    this.#topics = Array.from(streams.values(), (stream) =>
      new TopicReader(this.#options, this.#timing, troubles, stream, this.#stopping.signal)
        .run()
        .catch(fatal),
    );
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#topics);
  }
}

/** Reads one topic. Its partitions run by themselves; only it describes the topic. */
class TopicReader {
  readonly #options: ConsumerOptions;
  readonly #timing: ConsumerTiming;
  readonly #troubles: Troubles;
  readonly #stream: Stream;
  readonly #signal: AbortSignal;
  /** By epoch: partitions that are read, and those that stopped for good. */
  readonly #readers = new Map<string, { stop: AbortController; done: Promise<void> }>();
  /** Ends the wait before the topic is looked at again. */
  #lookAgain = new AbortController();

  constructor(
    options: ConsumerOptions,
    timing: ConsumerTiming,
    troubles: Troubles,
    stream: Stream,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#timing = timing;
    this.#troubles = troubles;
    this.#stream = stream;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { source } = this.#options;
    const { topic } = this.#stream;
    let start = this.#stream.start;
    let failures = 0;
    let surprises = 0;
    while (!this.#signal.aborted) {
      this.#lookAgain = new AbortController();
      try {
        const infos = await source.describe(topic);
        if (this.#signal.aborted) break;
        await this.#follow(infos, start);
        // What appears from now on was written while this origin was watching.
        start = "earliest";
        failures = 0;
        this.#troubles.over(topic);
        const waitMs = infos === undefined ? this.#timing.absentMs : this.#timing.describeMs;
        if (await this.#sleep(waitMs, this.#lookAgain.signal)) surprises = 0;
        else await this.#sleep(this.#delay(surprises++));
      } catch (error) {
        if (!isPassing(error)) throw error;
        const retryMs = this.#delay(failures++);
        this.#troubles.befall(topic, "topic_unreadable", { topic, ...reasonOf(error), retryMs });
        await this.#sleep(retryMs);
      }
    }
    await Promise.all([...this.#readers.values()].map(({ done }) => done));
  }

  /** Stops partitions that have gone, and begins those that have come. */
  async #follow(infos: readonly PartitionInfo[] | undefined, start: Stream["start"]): Promise<void> {
    const epochs = new Set(infos?.map(({ epoch }) => epoch));
    for (const [epoch, { stop, done }] of this.#readers) {
      if (epochs.has(epoch)) continue;
      stop.abort();
      await done;
      this.#readers.delete(epoch);
    }
    this.#options.forwarder.described(this.#stream.topic, infos, start);
    for (const { partition, epoch } of infos ?? []) {
      const state = this.#options.partitions.find(this.#stream.topic, epoch);
      if (state === undefined || this.#readers.has(epoch)) continue;
      const stop = new AbortController();
      const signal = AbortSignal.any([stop.signal, this.#signal]);
      const done = this.#read(partition, epoch, signal).catch(this.#options.fatal);
      this.#readers.set(epoch, { stop, done });
    }
  }

  /** Reads a partition until it is stopped, or stops for good, or its topic must be described anew. */
  async #read(partition: number, epoch: string, signal: AbortSignal): Promise<void> {
    const { source, forwarder, partitions, log } = this.#options;
    const { topic } = this.#stream;
    const name = `${topic}/${partition}`;
    let failures = 0;
    let failing = false;
    let torn = false;
    while (!signal.aborted) {
      try {
        if (torn) await this.#rejoin(epoch);
        torn = false;
        const from = partitions.find(topic, epoch)?.next ?? 0;
        await source.read({ topic, partition, epoch, from, signal }, async (batch) => {
          if (signal.aborted) return;
          if (batch.nextOffset > from) failures = 0;
          forwarder.batch(topic, partition, epoch, batch);
          if (failing) this.#troubles.over(name);
          failing = false;
          // A backlog must not keep sockets from their turn.
          if (batch.records.length > 0) await setImmediate();
        });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
        const reason = reasonOf(error);
        partitions.fail(topic, epoch, `${reason.code}: ${reason.message}`);
        if (reason.code === "corrupt") {
          partitions.stop(topic, epoch);
          return log("partition_stopped", { topic, partition, ...reason });
        }
        if (reason.code === "epoch_changed" || reason.code === "unknown_topic") {
          this.#readers.delete(epoch);
          this.#troubles.over(name);
          return this.#lookAgain.abort();
        }
        torn ||= reason.code === "offset_out_of_range";
        const retryMs = this.#delay(failures++);
        failing = true;
        this.#troubles.befall(name, "partition_failed", { topic, partition, ...reason, retryMs });
        await this.#sleep(retryMs, signal);
      }
    }
  }

  /** Begins anew where the log no longer holds what comes next. */
  async #rejoin(epoch: string): Promise<void> {
    const { source, forwarder } = this.#options;
    const { topic } = this.#stream;
    const info = (await source.describe(topic))?.find((described) => described.epoch === epoch);
    if (info === undefined) throw new SourceError("epoch_changed", `${topic} is no longer the same topic`);
    forwarder.rejoin(topic, info);
  }

  #delay(failures: number): number {
    return Math.ceil(backoff(failures, this.#timing.retry, this.#options.random()));
  }

  /** Whether the time passed without a signal. */
  async #sleep(ms: number, signal: AbortSignal = this.#signal): Promise<boolean> {
    try {
      await setTimeout(ms, undefined, { signal: AbortSignal.any([signal, this.#signal]) });
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * Whether it makes sense to try again, or to go on without one partition. Anything else is a fault of the
 * program, or an index that must be opened anew: going on could lose records in silence.
 */
function isPassing(error: unknown): error is SourceError | IndexError {
  return error instanceof SourceError || (error instanceof IndexError && error.code === "disk_failed");
}

function reasonOf({ code, message }: SourceError | IndexError) {
  return { code, message };
}
