/**
 * Reads every partition of every exposed topic, each by itself: one that fails, waits or is slow delays no
 * other. Nothing is ever skipped in silence.
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   describing a topic fails                backoff     never: its partitions stay as they are
 *   a partition's offsets can't be had      backoff     never: it begins once they can; the others are read
 *   the topic doesn't exist                 absentMs    never: it may still be created
 *   reading fails                           backoff     never: the partition is in error meanwhile
 *   the log no longer holds what is next,   backoff     begins anew: loud, and subscribers are told
 *   or lost what was read
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
import {
  type DescribedPartition,
  isAvailable,
  type Source,
  SourceError,
  type UnavailablePartition,
} from "./source.ts";
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
  /** By epoch: partitions whose offsets can't be had yet. */
  #awaited = new Map<string, UnavailablePartition>();
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
        this.#troubles.over(topic);
        const awaits = this.#awaits(infos);
        failures = awaits ? failures + 1 : 0;
        const { describeMs, absentMs } = this.#timing;
        const usualMs = infos === undefined ? absentMs : describeMs;
        const waitMs = awaits ? Math.min(this.#delay(failures - 1), usualMs) : usualMs;
        for (const { partition, unavailable: message } of this.#awaited.values())
          this.#fail(partition, { code: "unavailable", message }, waitMs);
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
  async #follow(infos: readonly DescribedPartition[] | undefined, start: Stream["start"]): Promise<void> {
    const epochs = new Set(infos?.map(({ epoch }) => epoch));
    for (const [epoch, { stop, done }] of this.#readers) {
      if (epochs.has(epoch)) continue;
      stop.abort();
      await done;
      this.#readers.delete(epoch);
    }
    this.#options.forwarder.described(this.#stream.topic, infos, start);
    for (const { partition, epoch } of infos?.filter(isAvailable) ?? []) {
      const state = this.#options.partitions.find(this.#stream.topic, epoch);
      if (state === undefined || this.#readers.has(epoch)) continue;
      const stop = new AbortController();
      const signal = AbortSignal.any([stop.signal, this.#signal]);
      const done = this.#read(partition, epoch, signal).catch(this.#options.fatal);
      this.#readers.set(epoch, { stop, done });
    }
  }

  /** Whether there are partitions that can't be begun yet. Those that are being read fail by themselves, if they do. */
  #awaits(infos: readonly DescribedPartition[] | undefined): boolean {
    const before = this.#awaited;
    this.#awaited = new Map();
    for (const info of infos ?? [])
      if (!isAvailable(info) && !this.#readers.has(info.epoch)) this.#awaited.set(info.epoch, info);
    for (const [epoch, { partition }] of before)
      if (!this.#awaited.has(epoch) && !this.#readers.has(epoch))
        this.#troubles.over(`${this.#stream.topic}/${partition}`);
    return this.#awaited.size > 0;
  }

  #fail(partition: number, reason: { readonly code: string; readonly message: string }, retryMs: number) {
    const { topic } = this.#stream;
    const name = `${topic}/${partition}`;
    this.#troubles.befall(name, "partition_failed", { topic, partition, ...reason, retryMs });
  }

  /** Reads a partition until it is stopped, or stops for good, or its topic must be described anew. */
  async #read(partition: number, epoch: string, signal: AbortSignal): Promise<void> {
    const { source, forwarder, partitions, log } = this.#options;
    const { topic } = this.#stream;
    const name = `${topic}/${partition}`;
    let failures = 0;
    // It may have been awaited.
    let failing = true;
    let torn: "no" | "out of range" | "truncated" = "no";
    while (!signal.aborted) {
      try {
        if (torn !== "no") await this.#rejoin(epoch, torn === "truncated");
        torn = "no";
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
        if (reason.code === "corrupt") return log("partition_stopped", { topic, partition, ...reason });
        if (reason.code === "epoch_changed" || reason.code === "unknown_topic") {
          this.#readers.delete(epoch);
          this.#troubles.over(name);
          return this.#lookAgain.abort();
        }
        if (reason.code === "truncated") torn = "truncated";
        else if (reason.code === "offset_out_of_range" && torn === "no") torn = "out of range";
        const retryMs = this.#delay(failures++);
        failing = true;
        this.#fail(partition, reason, retryMs);
        await this.#sleep(retryMs, signal);
      }
    }
  }

  /** Begins anew where the log no longer holds what comes next, or lost what was read. */
  async #rejoin(epoch: string, truncated: boolean): Promise<void> {
    const { source, forwarder } = this.#options;
    const { topic } = this.#stream;
    const info = (await source.describe(topic))?.find((described) => described.epoch === epoch);
    if (info === undefined) throw new SourceError("epoch_changed", `${topic} is no longer the same topic`);
    if (!isAvailable(info)) throw new SourceError("unavailable", info.unavailable);
    forwarder.rejoin(topic, info, truncated);
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
