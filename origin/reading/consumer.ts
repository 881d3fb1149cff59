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
 *   nothing is heard of a read for 20 s     backoff     never: loud, and read anew over new connections
 *     though the log has more
 *   the log no longer holds what is next,   backoff     begins anew: loud, and subscribers are told
 *   or not all of it, or lost what was read             (again only after as long as that took: rereads.ts)
 *   the topic is another one                backoff     described anew
 *   a record can't be read                  –           the partition stays stopped, loudly, until the log has
 *                                                       deleted it
 *
 * If the log can't be reached the backoff ends at 400 ms: a source spaces its dials by itself.
 *
 * What is tried again is told of once, however long it takes and however many partitions it befalls.
 */
import type { Start, Stream, Streams } from "../../shared/config/streams.ts";
import { Troubles } from "../operate/troubles.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { ReadContext, ReadTiming } from "./context.ts";
import { discover } from "./discovery.ts";
import { TopicReader } from "./topic-reader.ts";

export interface ConsumerOptions extends Omit<ReadContext, "troubles" | "timing"> {
  readonly streams: Streams;
  readonly timing?: ReadTiming;
  /** How many topics that match patterns are read. */
  readonly maxMatched?: number;
}

const TIMING: ReadTiming = {
  retry: TIME_LIMITS.readAgain,
  absentMs: TIME_LIMITS.topicAbsentMs,
  describeMs: TIME_LIMITS.topicLookMs,
  forgetMs: TIME_LIMITS.topicForgetMs,
};

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #reading: ReadContext;
  readonly #stopping = new AbortController();
  /** Topics of their own names. */
  #named: Promise<void>[] = [];
  /** Topics that match patterns. */
  readonly #matched = new Map<string, Promise<void>>();
  #discovery: Promise<void> | undefined;
  readonly #readers = new Map<string, TopicReader>();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { timing = TIMING, log } = options;
    this.#reading = { ...options, timing, troubles: new Troubles(log) };
  }

  start(): void {
    const { streams, fatal } = this.#options;
    this.#named = streams.named.map((stream) =>
      this.#reader(stream, stream.start, Number.POSITIVE_INFINITY).catch(fatal),
    );
    if (streams.hasPatterns)
      this.#discovery = discover({
        ...this.#options,
        timing: this.#reading.timing,
        troubles: this.#reading.troubles,
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

  /** Looks at a topic soon, if it is read: a partition may just have been added. */
  look(topic: string): void {
    this.#readers.get(topic)?.look();
  }

  #readMatched(stream: Stream, start: Start): void {
    const { topic } = stream;
    const done = this.#reader(stream, start, this.#reading.timing.forgetMs).catch(this.#options.fatal);
    this.#matched.set(
      topic,
      done.finally(() => this.#matched.delete(topic)),
    );
  }

  async #reader(stream: Stream, start: Start, forgetMs: number): Promise<void> {
    const reading = { ...this.#reading, timing: { ...this.#reading.timing, forgetMs } };
    const reader = new TopicReader(reading, stream, start, this.#stopping.signal);
    this.#readers.set(stream.topic, reader);
    await reader.run();
    this.#readers.delete(stream.topic);
  }
}
