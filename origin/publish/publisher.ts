/**
 * Publishes to a log: finds the topic, and its writers (topic-writers.ts). One for all shards and edges, so that no two
 * writers of a process fence one another. What is published first to a key is written first.
 */
import { getHeapStatistics } from "node:v8";
import { TIME_LIMITS } from "../time-limits.ts";
import type { LedgerRoom } from "./ledger.ts";
import { MARK_HEADER, type Marker, type PublishContent } from "./mark.ts";
import { CLOSED, FULL, type PublishResult, refusal } from "./result.ts";
import { type Sink, SinkError } from "./sink.ts";
import { TopicWriters, type WriterNews } from "./topic-writers.ts";
import { type Seen, Topics } from "./topics.ts";
import type { Room } from "./waiting.ts";

/** What waits for all partitions together. */
const WAITING_BYTES = 64 * 1024 * 1024;
/** Of the heap, to remember what was published. */
const LEDGER_SHARE = 1 / 4;
/** What a record takes in memory beside its key, value and headers. */
const RECORD_BYTES = 500;
/** Brokers end the connection when a request is too large for them, and nobody learns why. Topics' own bounds are lower. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

type Answer = (result: PublishResult) => void;

/** A publish as the publisher is asked for it. */
export interface TopicPublish extends PublishContent {
  /** When an answer is wanted at the latest, by `performance.now()`. */
  readonly deadline: number;
  /** Nothing is written for it from then on: milliseconds since 1970. */
  readonly until: number;
}

export interface PublisherOptions {
  /** Is closed with the publisher. */
  readonly sink: Sink;
  readonly marker: Marker;
  /** For how long a publish that comes again is answered, and not done again. */
  readonly windowMs?: number;
  /** What may be remembered of publishes, in bytes. */
  readonly ledgerBytes?: number;
  /** Told which partitions this origin writes: of several that say so, the highest number does. */
  readonly announce?: (news: WriterNews) => void;
}

export class Publisher {
  readonly #sink: Sink;
  readonly #marker: Marker;
  readonly #windowMs: number;
  readonly #announce: (news: WriterNews) => void;
  readonly #topics: Topics;
  readonly #writers = new Map<string, TopicWriters>();
  readonly #room: Room = { left: WAITING_BYTES };
  readonly #ledgerRoom: LedgerRoom;
  readonly #look: NodeJS.Timeout;
  #closed = false;

  constructor({ sink, marker, windowMs, ledgerBytes, announce }: PublisherOptions) {
    this.#sink = sink;
    this.#ledgerRoom = { left: ledgerBytes ?? getHeapStatistics().heap_size_limit * LEDGER_SHARE };
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
  publish(request: TopicPublish): Promise<PublishResult> {
    return new Promise((resolve) => this.#take(request, resolve));
  }

  /** Claims the partition of a key, unless this origin writes it already. What comes of that is announced. */
  takeOver(topic: string, key: Uint8Array): void {
    this.#topics.use(topic, Number.POSITIVE_INFINITY, (seen) => {
      if (Array.isArray(seen) && !this.#closed) this.#of(topic, seen).takeOver(key);
    });
  }

  /** What is under way is answered. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    this.#topics.expire(Number.POSITIVE_INFINITY);
    for (const writers of this.#writers.values()) writers.close();
    await this.#sink.close();
  }

  #take(request: TopicPublish, answer: Answer): void {
    const { topic, deadline } = request;
    const bytes = sizeOf(request);
    const unfit = unfitness(request, bytes) ?? (bytes > this.#room.left ? FULL : undefined);
    if (unfit !== undefined) {
      answer(unfit);
      return;
    }
    const seen = this.#topics.seen(topic);
    if (seen !== undefined) this.#write(request, bytes, seen, answer);
    else {
      // What waits until the topic is seen takes room, too.
      this.#room.left -= bytes;
      this.#topics.use(topic, deadline, (later) => {
        this.#room.left += bytes;
        this.#write(request, bytes, later, answer);
      });
    }
  }

  /** To the partition of its key, among those that the topic was seen to have. */
  #write(request: TopicPublish, bytes: number, seen: Seen, answer: Answer): void {
    const { topic, key, value, headers, deadline, until, id } = request;
    const refused = this.#refused(topic, seen);
    if (refused !== undefined || !Array.isArray(seen)) {
      answer(refused ?? CLOSED);
      return;
    }
    const marks = this.#marker.marksOf(request);
    const record = { key, value, headers, mark: marks[0] };
    const isPromised = id.chosenBy === "client";
    this.#of(topic, seen).publish({ marks, record, bytes, isPromised, deadline, until, answer });
  }

  #refused(topic: string, seen: Seen): PublishResult | undefined {
    if (this.#closed) return CLOSED;
    if (seen === "full") return FULL;
    if (seen === "late") return refusal("unavailable", `nothing was heard of ${topic} in time`);
    if (seen === "absent") return refusal("unknown_topic", `there is no topic ${topic}`);
    if (seen instanceof Error) {
      const isForbidden = seen instanceof SinkError && seen.code === "forbidden";
      return refusal(isForbidden ? "forbidden" : "unavailable", seen.message);
    }
    return undefined;
  }

  /** The writers of a topic that has these partitions. */
  #of(topic: string, epochs: readonly string[]): TopicWriters {
    const known = this.#writers.get(topic);
    if (known?.isOf(epochs)) {
      known.grow(epochs);
      return known;
    }
    // It was of a topic of this name that is no more.
    known?.close();
    const writers = new TopicWriters(
      {
        topic,
        sink: this.#sink,
        windowMs: this.#windowMs,
        recognises: (secret) => this.#marker.recognises(secret),
        room: this.#room,
        ledgerRoom: this.#ledgerRoom,
        announce: this.#announce,
        changed: () => this.#topics.forget(topic),
        time: Date.now,
        now: () => performance.now(),
        random: Math.random,
      },
      epochs,
    );
    this.#writers.set(topic, writers);
    return writers;
  }

  #expire(): void {
    const now = performance.now();
    this.#topics.expire(now);
    for (const writers of this.#writers.values()) writers.expire(now);
  }
}

/** Why no log takes it. */
function unfitness({ headers }: TopicPublish, bytes: number): PublishResult | undefined {
  if (bytes > MAX_RECORD_BYTES)
    return refusal("too_large", `a record may have up to ${MAX_RECORD_BYTES} bytes`);
  if (headers.some(([name]) => name === MARK_HEADER))
    return refusal("invalid", `the header ${MARK_HEADER} is the origin's own`);
  return undefined;
}

function sizeOf({ key, value, headers }: TopicPublish): number {
  const size = RECORD_BYTES + key.length + (value?.length ?? 0);
  return headers.reduce((sum, [name, content]) => sum + name.length + (content?.length ?? 0), size);
}
