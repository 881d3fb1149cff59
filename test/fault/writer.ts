/** Writes to one topic at a steady rate, and knows what was acknowledged. */
import type { Kafka, Producer, RecordMetadata } from "kafkajs";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { NotInjected } from "./not-injected.ts";
import { oneOf, type Random } from "./random.ts";
import { type Message, tombstone, withValue } from "./record.ts";

/** Batches that are on their way while Kafka doesn't answer; past that nothing is written. */
const MAX_PENDING = 40;
const PAD_BYTES = 120;
/** What an index takes for a record beside its padding, at least. */
const RECORD_BYTES = 100;

export interface Place {
  readonly partition: number;
  readonly offset: number;
}

/** Numbers records, over all topics; when each was produced, in milliseconds of the monotonic clock. */
export class Ledger {
  readonly producedAt: number[] = [];
  readonly acknowledged = new Set<number>();
  failed = 0;
  lastFailure = "";
  /** How many bytes those before each have, about. */
  readonly #before: number[] = [];
  #bytes = 0;

  next(padding = 0): number {
    this.#counts(padding);
    return this.producedAt.push(performance.now()) - 1;
  }

  /** The number of one that may be tried for long: until it is produced, nobody who waits for it is late. */
  reserve(): number {
    this.#counts(0);
    return this.producedAt.push(Number.POSITIVE_INFINITY) - 1;
  }

  /** How many bytes an index takes for what was written from one on, until another, at least. */
  bytesBetween(id: number, written: number): number {
    return (this.#before[written] ?? this.#bytes) - (this.#before[id] ?? this.#bytes);
  }

  /** It is known to be in the log from now on. */
  produced(id: number): void {
    this.producedAt[id] = performance.now();
  }

  #counts(padding: number): void {
    this.#before.push(this.#bytes);
    this.#bytes += padding + RECORD_BYTES;
  }
}

/** A record that was acknowledged. */
export interface Placed extends Place {
  /** Path of its endpoint. */
  readonly endpoint: string;
  readonly id: number;
  readonly isTombstone: boolean;
}

export interface WriterSettings {
  readonly topic: string;
  readonly keys: readonly string[];
  readonly perSecond: number;
  /** Between two batches, in milliseconds. */
  readonly batchMs: number;
  readonly partitions: number;
  /** The share of tombstones. */
  readonly tombstones: number;
}

export class Writer {
  readonly settings: WriterSettings;
  /** endpoint → the last of its records that was acknowledged */
  readonly last = new Map<string, Place>();
  /** All that was acknowledged. What is read back tells of it, too, but for what has vanished by then. */
  readonly placed: Placed[] = [];
  /** endpoint → ids of all that was sent */
  readonly sent = new Map<string, Set<number>>();
  partitions: number;
  readonly #kafka: Kafka;
  #producer: Producer | undefined;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #pending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #owed = 0;
  #tickedAt = 0;

  constructor(kafka: Kafka, settings: WriterSettings, ledger: Ledger, random: Random) {
    this.#kafka = kafka;
    this.settings = settings;
    this.partitions = settings.partitions;
    this.#ledger = ledger;
    this.#random = random;
  }

  async start(): Promise<void> {
    this.#producer = this.#kafka.producer({
      metadataMaxAge: 1_000,
      retry: { retries: 3, initialRetryTime: 50, maxRetryTime: 500 },
    });
    await this.#producer.connect();
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.settings.batchMs);
  }

  /** Resolves when nothing is on its way any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    await this.#producer?.disconnect();
  }

  /** Forgets what was acknowledged of a topic that is gone. */
  forget(): void {
    this.last.clear();
    this.placed.length = 0;
    this.sent.clear();
  }

  /** Writes values of these sizes to one key at once. Rejects where they are not acknowledged. */
  async burst(key: string, sizes: readonly number[]): Promise<void> {
    for (const size of sizes) {
      const sent = this.#send([this.message(key, size)]);
      if (!(await sent)) throw new NotInjected("a burst was not acknowledged");
    }
  }

  /** Writes one record to a key, in between. Rejects where it is not acknowledged. */
  async put(key: string, what: "value" | "tombstone" = "value"): Promise<Placed> {
    const record = what === "value" ? this.message(key, PAD_BYTES) : this.#tombstone(key);
    if (!(await this.#send([record]))) throw new NotInjected(`a ${what} was not acknowledged`);
    const placed = this.placed.findLast(({ id }) => id === record.id);
    if (placed === undefined) throw new Error(`where a ${what} is was not told`);
    return placed;
  }

  /** One to be written, by whomever; it counts as sent. */
  message(key: string, padding: number): Message {
    return this.#sends(withValue(this.#ledger.next(padding), key, this.#partitionOf(key), padding));
  }

  /** Notes what was acknowledged: for each partition the offset of the first, and that they follow one another. */
  acknowledge(messages: readonly Message[], results: readonly RecordMetadata[]): void {
    const { topic } = this.settings;
    for (const { partition, baseOffset } of results) {
      const there = messages.filter((message) => message.partition === partition);
      for (const [i, { id, key, value }] of there.entries()) {
        const endpoint = `/${topic}/${key}`;
        const offset = Number(baseOffset) + i;
        this.#ledger.acknowledged.add(id);
        this.place({ endpoint, partition, offset, id, isTombstone: value === null });
      }
    }
  }

  /** Notes one that was acknowledged, to whomever. */
  place(placed: Placed): void {
    this.placed.push(placed);
    this.#isLast(placed.endpoint, placed);
  }

  #tick(): void {
    const { keys, perSecond, tombstones } = this.settings;
    const now = performance.now();
    this.#owed = Math.min(this.#owed + ((now - this.#tickedAt) / 1_000) * perSecond, perSecond);
    this.#tickedAt = now;
    const count = Math.floor(this.#owed);
    if (count === 0 || this.#pending.size >= MAX_PENDING) return;
    this.#owed -= count;
    const messages = Array.from({ length: count }, () => {
      const key = oneOf(this.#random, keys);
      if (tombstones > 0 && this.#random() < tombstones) return this.#tombstone(key);
      return this.message(key, Math.floor(this.#random() * PAD_BYTES));
    });
    const sent = this.#send(messages).then(() => {
      this.#pending.delete(sent);
    });
    this.#pending.add(sent);
  }

  #tombstone(key: string): Message {
    return this.#sends(tombstone(this.#ledger.next(), key, this.#partitionOf(key)));
  }

  #sends(message: Message): Message {
    const endpoint = `/${this.settings.topic}/${message.key}`;
    const ids = this.sent.get(endpoint);
    if (ids === undefined) this.sent.set(endpoint, new Set([message.id]));
    else ids.add(message.id);
    return message;
  }

  #partitionOf(key: string): number {
    return partitionOf(Buffer.from(key), this.partitions);
  }

  /** Whether it was acknowledged. */
  async #send(messages: Message[]): Promise<boolean> {
    const { topic } = this.settings;
    try {
      const results = (await this.#producer?.send({ topic, acks: -1, timeout: 5_000, messages })) ?? [];
      this.acknowledge(messages, results);
      return true;
    } catch (error) {
      this.#ledger.failed += messages.length;
      this.#ledger.lastFailure = error instanceof Error ? error.message : String(error);
      return false;
    }
  }

  #isLast(endpoint: string, place: Place): void {
    const before = this.last.get(endpoint);
    // In another partition it is another count.
    if (before?.partition === place.partition && before.offset > place.offset) return;
    this.last.set(endpoint, place);
  }
}
