/** Reads one topic. Its partitions run by themselves; only it describes the topic. */

import { backMs, type Start, type Stream } from "../../shared/config/streams.ts";
import { hasPartition, WHOLE } from "../../shared/protocol/slice.ts";
import {
  type DescribedPartition,
  isAvailable,
  SourceError,
  type UnavailablePartition,
} from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import {
  isPassing,
  partitionFailed,
  partitionName,
  type ReadContext,
  reasonOf,
  retryDelay,
  sleep,
} from "./context.ts";
import { readPartition } from "./partition-reader.ts";
import { isStopped } from "./partitions.ts";
import { STALL } from "./stall.ts";

/** A description may be large, and its line slow: it is given so many times what a read is. */
const UNANSWERED_STALLS = 3;

/** A topic is looked at no more often than this, whatever is asked: what is asked for can be made up. */
const LOOK_MS = TIME_LIMITS.topicSoonestMs;

export class TopicReader {
  readonly #reading: ReadContext;
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
  /** Ends that wait, too, but not before `LOOK_MS` have passed. */
  #lookSoon = new AbortController();

  constructor(reading: ReadContext, stream: Stream, start: Start, signal: AbortSignal) {
    this.#reading = reading;
    this.#stream = stream;
    this.#start = start;
    this.#signal = signal;
  }

  /** Looks at the topic soon. */
  look(): void {
    this.#lookSoon.abort();
  }

  /** Until the end, or until the topic has been gone for so long that it is forgotten. */
  async run(): Promise<void> {
    const { forwarder, partitions, troubles, timing, slice = WHOLE } = this.#reading;
    const { topic } = this.#stream;
    let start = this.#start;
    let absentMs = 0;
    let failures = 0;
    let surprises = 0;
    while (!this.#signal.aborted) {
      this.#lookAgain = new AbortController();
      this.#lookSoon = new AbortController();
      const looked = forwarder.looks(topic);
      try {
        const described = await this.#described();
        if (this.#signal.aborted) break;
        const own = described?.filter(({ partition }) => hasPartition(slice, partition));
        const { infos, at } = await this.#placed(own, start);
        await this.#follow(infos, start, at, described?.length);
        looked((infos ?? []).filter((info) => !isAvailable(info)).map(({ epoch }) => epoch));
        // What appears from now on was written while this origin was watching.
        start = "earliest";
        troubles.over(topic);
        partitions.describing(topic, undefined);
        absentMs = infos === undefined ? absentMs + timing.absentMs : 0;
        if (absentMs > timing.forgetMs) return forwarder.gone(topic);
        const awaits = this.#awaits(infos);
        failures = awaits ? failures + 1 : 0;
        const usualMs = infos === undefined ? timing.absentMs : timing.describeMs;
        const waitMs = awaits ? Math.min(retryDelay(this.#reading, failures - 1), usualMs) : usualMs;
        for (const { partition, unavailable: message } of this.#awaited.values())
          partitionFailed(this.#reading, { topic, partition }, { code: "unavailable", message }, waitMs);
        if (await this.#rest(waitMs)) surprises = 0;
        else await this.#sleep(retryDelay(this.#reading, surprises++));
      } catch (error) {
        if (!isPassing(error)) throw error;
        const retryMs = retryDelay(this.#reading, failures++, error.code);
        partitions.describing(topic, error.message);
        troubles.befall(topic, "topic_unreadable", { topic, ...reasonOf(error), retryMs });
        await this.#sleep(retryMs);
      }
    }
    await Promise.all([...this.#readers.values()].map(({ done }) => done));
  }

  /** However long that takes, it doesn't in silence: what is known of the topic until then is old. */
  async #described(): Promise<readonly DescribedPartition[] | undefined> {
    const { source, troubles, timing } = this.#reading;
    const { topic } = this.#stream;
    const everyMs = UNANSWERED_STALLS * (timing.stall ?? STALL).stallMs;
    const telling = setInterval(() => {
      const message = `${topic} is asked for, and nothing is answered`;
      troubles.befall(topic, "topic_unreadable", { topic, code: "stalled", message, retryMs: everyMs });
    }, everyMs);
    try {
      return await source.describe(topic);
    } finally {
      clearInterval(telling);
    }
  }

  /** Where partitions begin, by epoch, that begin so far back; one that can't be asked for that is unavailable. */
  async #placed(described: readonly DescribedPartition[] | undefined, start: Start) {
    const { source, forwarder, now } = this.#reading;
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
    const { forwarder, partitions, fatal } = this.#reading;
    const { topic } = this.#stream;
    const epochs = new Set(infos?.map(({ epoch }) => epoch));
    for (const [epoch, { stop, done }] of this.#readers) {
      if (epochs.has(epoch)) continue;
      stop.abort();
      await done;
      this.#readers.delete(epoch);
    }
    forwarder.described(topic, infos, start, at, count);
    for (const { partition, epoch, startOffset } of infos?.filter(isAvailable) ?? []) {
      const state = partitions.find(topic, epoch);
      // What couldn't be read is no longer there.
      if (state !== undefined && isStopped(state) && startOffset > state.next) {
        partitions.resume(topic, epoch);
        this.#readers.delete(epoch);
      }
      if (state === undefined || this.#readers.has(epoch)) continue;
      const stop = new AbortController();
      const signal = AbortSignal.any([stop.signal, this.#signal]);
      const replaced = () => {
        this.#readers.delete(epoch);
        this.#lookAgain.abort();
      };
      const done = readPartition(this.#reading, { topic, partition, epoch }, replaced, signal).catch(fatal);
      this.#readers.set(epoch, { stop, done });
    }
  }

  /** Whether there are partitions that can't be begun yet. Those that are being read fail by themselves, if they do. */
  #awaits(infos: readonly DescribedPartition[] | undefined): boolean {
    const { troubles } = this.#reading;
    const { topic } = this.#stream;
    const before = this.#awaited;
    this.#awaited = new Map();
    for (const info of infos ?? [])
      if (!isAvailable(info) && !this.#readers.has(info.epoch)) this.#awaited.set(info.epoch, info);
    for (const [epoch, { partition }] of before)
      if (!this.#awaited.has(epoch) && !this.#readers.has(epoch))
        troubles.over(partitionName(topic, partition));
    return this.#awaited.size > 0;
  }

  /** Until it is time to look again, or somebody asks for it; false if a partition can't be read on without. */
  async #rest(ms: number): Promise<boolean> {
    const soonestMs = Math.min(ms, LOOK_MS);
    const { signal } = this.#lookAgain;
    if (await this.#sleep(soonestMs, signal))
      await this.#sleep(ms - soonestMs, AbortSignal.any([signal, this.#lookSoon.signal]));
    return !signal.aborted;
  }

  #sleep(ms: number, signal: AbortSignal = this.#signal): Promise<boolean> {
    return sleep(ms, AbortSignal.any([signal, this.#signal]));
  }
}
