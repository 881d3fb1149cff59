/**
 * Publishes to a log: finds the partition, and the writer that this process has there. One for all shards and edges, so
 * that no two writers of a process fence one another. What is published first to a key is written first.
 */
import { partitionOf } from "../kafka/partitioner.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Marker, Published } from "./mark.ts";
import { type PublishResult, refusal } from "./result.ts";
import { type Sink, SinkError, type WriterNumber } from "./sink.ts";
import { type Seen, Topics } from "./topics.ts";
import { PartitionWriter } from "./writer.ts";

/** What waits for all partitions together. */
const WAITING_BYTES = 64 * 1024 * 1024;
/** What a record takes in memory beside its key, value and headers. */
const RECORD_BYTES = 500;

export interface PublishRequest extends Published {
  /** When an answer is wanted at the latest, by `performance.now()`. */
  readonly deadline: number;
}

export interface WriterNews {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: string;
  /** Undefined when this origin no longer writes the partition. */
  readonly writer: WriterNumber | undefined;
}

export interface PublisherOptions {
  /** Is closed with the publisher. */
  readonly sink: Sink;
  readonly marker: Marker;
  /** For how long a publish that comes again is answered, and not done again. */
  readonly windowMs?: number;
  /** Told which partitions this origin writes: of several that say so, the highest number does. */
  readonly announce?: (news: WriterNews) => void;
}

export class Publisher {
  readonly #sink: Sink;
  readonly #marker: Marker;
  readonly #windowMs: number;
  readonly #announce: (news: WriterNews) => void;
  readonly #topics: Topics;
  /** By the partition's epoch. */
  readonly #writers = new Map<string, PartitionWriter>();
  readonly #look: NodeJS.Timeout;
  #closed = false;

  constructor({ sink, marker, windowMs, announce }: PublisherOptions) {
    this.#sink = sink;
    this.#marker = marker;
    this.#windowMs = windowMs ?? TIME_LIMITS.publishWindowMs;
    this.#announce = announce ?? (() => {});
    this.#topics = new Topics(
      (topic) => sink.partitions(topic),
      () => performance.now(),
    );
    this.#look = setInterval(() => this.#expire(), TIME_LIMITS.publishLookMs);
    this.#look.unref();
  }

  /** One record and its position, or an error. Never rejects. */
  publish(request: PublishRequest): Promise<PublishResult> {
    const { promise, resolve } = Promise.withResolvers<PublishResult>();
    const { topic, key, value, headers, deadline } = request;
    const bytes = sizeOf(request);
    this.#topics.use(topic, deadline, (seen) => {
      const refused = this.#refused(topic, seen, bytes);
      if (refused !== undefined || !Array.isArray(seen)) return resolve(refused ?? CLOSED);
      const marks = this.#marker.marksOf(request);
      const record = { key, value, headers: [...headers, this.#marker.headerOf(marks[0])] };
      const writer = this.#writer(topic, partitionOf(key, seen.length), seen);
      writer.publish({ marks, record, bytes, deadline, answer: resolve });
    });
    return promise;
  }

  /** Claims the partition of a key, unless this origin writes it already. What comes of that is announced. */
  takeOver(topic: string, key: Uint8Array): void {
    this.#topics.use(topic, Number.POSITIVE_INFINITY, (seen) => {
      if (Array.isArray(seen) && !this.#closed)
        this.#writer(topic, partitionOf(key, seen.length), seen).takeOver();
    });
  }

  /** What is under way is answered. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    this.#topics.expire(Number.POSITIVE_INFINITY);
    for (const writer of this.#writers.values()) writer.close();
    await this.#sink.close();
  }

  #refused(topic: string, seen: Seen, bytes: number): PublishResult | undefined {
    if (this.#closed) return CLOSED;
    if (seen === "full") return FULL;
    if (seen === "late") return refusal("unavailable", `nothing was heard of ${topic} in time`);
    if (seen === "absent") return refusal("unknown_topic", `there is no topic ${topic}`);
    if (seen instanceof Error) {
      const isForbidden = seen instanceof SinkError && seen.code === "forbidden";
      return refusal(isForbidden ? "forbidden" : "unavailable", seen.message);
    }
    let waiting = bytes;
    for (const writer of this.#writers.values()) waiting += writer.bytes;
    return waiting > WAITING_BYTES ? FULL : undefined;
  }

  #writer(topic: string, partition: number, epochs: readonly string[]): PartitionWriter {
    const epoch = epochs[partition] ?? "";
    const known = this.#writers.get(epoch);
    if (known !== undefined) return known;
    const writer = new PartitionWriter({
      epoch,
      windowMs: this.#windowMs,
      claim: async (signal) => {
        try {
          return await this.#sink.claim({ topic, partition, epoch, windowMs: this.#windowMs, signal });
        } catch (error) {
          if (error instanceof SinkError && error.code === "changed") {
            // Whoever comes next finds the topic that is there now.
            this.#topics.forget(topic);
            this.#writers.delete(epoch);
          }
          throw error;
        }
      },
      announce: (number) => this.#announce({ topic, partition, epoch, writer: number }),
      time: Date.now,
      random: Math.random,
    });
    this.#writers.set(epoch, writer);
    return writer;
  }

  #expire(): void {
    const now = performance.now();
    this.#topics.expire(now);
    for (const writer of this.#writers.values()) writer.expire(now);
  }
}

const FULL = refusal("overloaded", "more is published than this origin takes: try again later");
const CLOSED = refusal("unavailable", "the origin stops");

function sizeOf({ key, value, headers }: PublishRequest): number {
  const size = RECORD_BYTES + key.length + (value?.length ?? 0);
  return headers.reduce((sum, [name, content]) => sum + name.length + (content?.length ?? 0), size);
}
