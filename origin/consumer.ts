/**
 * Reads every partition of every exposed topic, each by itself: one that fails, waits or is slow delays no
 * other. Nothing is ever skipped in silence.
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   describing a topic fails                backoff     never: its partitions stay as they are
 *   a partition's offsets can't be had      backoff     never: it begins once they can; the others are read
 *   the topic doesn't exist                 absentMs    never: it may still be created; one that matched a
 *                                                       pattern is forgotten after forgetMs
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
import { hasPartition, type Range, WHOLE } from "../shared/protocol/range.ts";
import { backMs, type Start, type Stream, type Streams } from "../shared/protocol/streams.ts";
import { discover } from "./discovery.ts";
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
  /** Partitions of other ranges are described, but not read. */
  readonly range?: Range;
  readonly forwarder: Forwarder;
  readonly partitions: Partitions;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Reading can't go on at all. */
  readonly fatal: (error: unknown) => void;
  readonly timing?: ConsumerTiming;
  /** How many topics that match patterns are read. */
  readonly maxMatched?: number;
}

export interface ConsumerTiming {
  readonly retry: BackoffBounds;
  /** How often a topic that doesn't exist is looked for, in milliseconds. */
  readonly absentMs: number;
  /** How often a topic is looked at for new partitions, and patterns for new topics, in milliseconds. */
  readonly describeMs: number;
  /** How long a topic that matched a pattern must be gone until the index forgets it, in milliseconds. */
  readonly forgetMs: number;
}

const TIMING: ConsumerTiming = {
  retry: { baseMs: 200, maxMs: 10_000 },
  absentMs: 1_000,
  describeMs: 4_000,
  forgetMs: 60_000,
};

/** Records of a partition that are handled before others get their turn, if nothing else made it wait. */
const TURN_RECORDS = 100;

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #timing: ConsumerTiming;
  readonly #troubles: Troubles;
  readonly #stopping = new AbortController();
  /** Topics of their own names. */
  #named: Promise<void>[] = [];
  /** Topics that match patterns. */
  readonly #matched = new Map<string, Promise<void>>();
  #discovery: Promise<void> | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#timing = options.timing ?? TIMING;
    this.#troubles = new Troubles(options.log);
  }

  start(): void {
    const { streams, fatal } = this.#options;
    this.#named = streams.named.map((stream) =>
      this.#reader(stream, stream.start, Number.POSITIVE_INFINITY).catch(fatal),
    );
    if (streams.hasPatterns)
      this.#discovery = discover({
        ...this.#options,
        timing: this.#timing,
        troubles: this.#troubles,
        reading: this.#matched,
        read: (stream, start) => this.#readMatched(stream, start),
        signal: this.#stopping.signal,
      }).catch(fatal);
  }

  /** Resolves when nothing is being read any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#discovery, ...this.#named, ...this.#matched.values()]);
  }

  #readMatched(stream: Stream, start: Start): void {
    const { topic } = stream;
    const done = this.#reader(stream, start, this.#timing.forgetMs).catch(this.#options.fatal);
    this.#matched.set(
      topic,
      done.finally(() => this.#matched.delete(topic)),
    );
  }

  #reader(stream: Stream, start: Start, forgetMs: number): Promise<void> {
    const timing = { ...this.#timing, forgetMs };
    return new TopicReader(this.#options, timing, this.#troubles, stream, start, this.#stopping.signal).run();
  }
}

/** Reads one topic. Its partitions run by themselves; only it describes the topic. */
class TopicReader {
  readonly #options: ConsumerOptions;
  readonly #timing: ConsumerTiming;
  readonly #troubles: Troubles;
  readonly #stream: Stream;
  /** Where partitions begin that are there at the first look. */
  readonly #start: Start;
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
    start: Start,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#timing = timing;
    this.#troubles = troubles;
    this.#stream = stream;
    this.#start = start;
    this.#signal = signal;
  }

  /** Until the end, or until the topic has been gone for so long that it is forgotten. */
  async run(): Promise<void> {
    const { source, forwarder, range = WHOLE } = this.#options;
    const { topic } = this.#stream;
    let start = this.#start;
    let absentMs = 0;
    let failures = 0;
    let surprises = 0;
    while (!this.#signal.aborted) {
      this.#lookAgain = new AbortController();
      try {
        const described = await source.describe(topic);
        if (this.#signal.aborted) break;
        const own = described?.filter(({ partition }) => hasPartition(range, partition));
        const { infos, at } = await this.#placed(own, start);
        await this.#follow(infos, start, at, described?.length);
        // What appears from now on was written while this origin was watching.
        start = "earliest";
        this.#troubles.over(topic);
        absentMs = infos === undefined ? absentMs + this.#timing.absentMs : 0;
        if (absentMs > this.#timing.forgetMs) return forwarder.gone(topic);
        const awaits = this.#awaits(infos);
        failures = awaits ? failures + 1 : 0;
        const usualMs = infos === undefined ? this.#timing.absentMs : this.#timing.describeMs;
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

  /** Where partitions begin, by epoch, that begin so far back; one that can't be asked for that is unavailable. */
  async #placed(described: readonly DescribedPartition[] | undefined, start: Start) {
    const { source, forwarder, now } = this.#options;
    const { topic } = this.#stream;
    const at = new Map<string, number>();
    const place = async (info: DescribedPartition): Promise<DescribedPartition> => {
      const { partition, epoch } = info;
      const begins = forwarder.beginningOf(topic, epoch, start);
      const back = begins && backMs(begins);
      if (back === undefined || !isAvailable(info)) return info;
      try {
        const timestamp = Math.max(0, now() - back);
        const offset = await source.offsetAt({ topic, partition, epoch, timestamp });
        if (offset !== undefined) at.set(epoch, offset);
        return info;
      } catch (error) {
        if (!(error instanceof SourceError && error.code === "unavailable")) throw error;
        return { partition, epoch, unavailable: error.message };
      }
    };
    return { infos: described && (await Promise.all(described.map(place))), at };
  }

  /** Stops partitions that have gone, and begins those that have come. */
  async #follow(
    infos: readonly DescribedPartition[] | undefined,
    start: Start,
    at: ReadonlyMap<string, number>,
    count: number | undefined,
  ): Promise<void> {
    const epochs = new Set(infos?.map(({ epoch }) => epoch));
    for (const [epoch, { stop, done }] of this.#readers) {
      if (epochs.has(epoch)) continue;
      stop.abort();
      await done;
      this.#readers.delete(epoch);
    }
    this.#options.forwarder.described(this.#stream.topic, infos, start, at, count);
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
    let inTurn = 0;
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
          // A backlog must not keep sockets from their turn. A trickle waits for its next record anyway.
          inTurn += batch.records.length;
          if (inTurn < TURN_RECORDS) return;
          inTurn = 0;
          await setImmediate();
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

  #sleep(ms: number, signal: AbortSignal = this.#signal): Promise<boolean> {
    return sleep(ms, AbortSignal.any([signal, this.#signal]));
  }
}

/** Whether the time passed without a signal. */
async function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
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
function isPassing(error: unknown): error is SourceError | IndexError {
  return error instanceof SourceError || (error instanceof IndexError && error.code === "disk_failed");
}

function reasonOf({ code, message }: SourceError | IndexError) {
  return { code, message };
}
