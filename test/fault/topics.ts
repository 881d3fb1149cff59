/** What a run writes to and subscribes to. */
import type { Admin } from "kafkajs";
import { eventually } from "../support/deadline.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../support/kafka-topics.ts";
import type { Logged, LoggedEpoch, WrittenLog } from "./history.ts";
import { type Contents, readBack } from "./read-back.ts";

export interface TopicPlan {
  readonly keys: number;
  readonly partitions: number;
  readonly perSecond: number;
  /** Subscribers by the protocol alone, and by the product's client; spread over the keys. */
  readonly raw: number;
  readonly product: number;
}

/** The window at the edge is small, so that some who come back are answered from there and some from the index. */
const WINDOW = { updates: 20, seconds: 3_600 };
/** The index of this one holds so little that some who come back are answered by reading Kafka again (R7). */
const BRIEF = { window: { updates: 5, seconds: 4 }, replay: 1_000_000 };

export const TOPICS = {
  /** The main one. */
  load: { keys: 40, partitions: 6, perSecond: 220, raw: 56, product: 10 },
  /** Gets more and more partitions. */
  growing: { keys: 6, partitions: 2, perSecond: 30, raw: 6, product: 2 },
  /** Is deleted and created again. */
  reborn: { keys: 4, partitions: 2, perSecond: 20, raw: 6, product: 2 },
  /** Is hardly kept but in Kafka. */
  brief: { keys: 4, partitions: 2, perSecond: 20, raw: 6, product: 2 },
  /** Has large values, for those who don't read them. */
  bulky: { keys: 1, partitions: 1, perSecond: 1, raw: 3, product: 0 },
} as const satisfies Record<string, TopicPlan>;

export type TopicName = keyof typeof TOPICS;

export const TOPIC_NAMES = Object.keys(TOPICS) as TopicName[];

export const keysOf = (topic: TopicName) => Array.from({ length: TOPICS[topic].keys }, (_, i) => `key-${i}`);

export const streamsJson = () =>
  JSON.stringify({
    streams: Object.fromEntries(
      TOPIC_NAMES.map((topic) => [
        topic,
        { title: topic, subscribe: "public", window: WINDOW, ...(topic === "brief" && BRIEF) },
      ]),
    ),
  });

/** The topics as they are now, what they are called in positions, and what those that are gone held. */
export class Topics {
  readonly #kafka: KafkaBroker;
  readonly #admin: Admin;
  readonly #prefixes = new Map<TopicName, string>();
  readonly #log = new Map<string, LoggedEpoch>();
  readonly partitions = new Map<TopicName, number>();

  constructor(kafka: KafkaBroker, admin: Admin) {
    this.#kafka = kafka;
    this.#admin = admin;
  }

  async create(topic: TopicName): Promise<void> {
    const before = this.#prefixes.get(topic);
    const { partitions } = TOPICS[topic];
    await this.#createWhole(topic, partitions);
    this.partitions.set(topic, partitions);
    const prefix = await eventually(() => {
      const now = this.#kafka.topicId(topic).slice(0, 6);
      return now !== before && now;
    }, `the id of ${topic}`);
    this.#prefixes.set(topic, prefix);
  }

  /** Nobody may be writing to it. What it held is kept. */
  async delete(topic: TopicName): Promise<void> {
    this.#keep(topic, await readBack(this.#kafka.client(), topic), true);
    await deleteTopic(this.#admin, topic);
  }

  async addPartition(topic: TopicName): Promise<number> {
    const count = (this.partitions.get(topic) ?? 0) + 1;
    await this.#admin.createPartitions({ topicPartitions: [{ topic, count }] });
    this.partitions.set(topic, count);
    return count;
  }

  /** P4: the name of an offset space. */
  epoch(topic: TopicName, partition: number): string {
    return `${this.#prefixes.get(topic)}.${partition}`;
  }

  /** Whether an epoch is one of a topic that was deleted. */
  isVoid(epoch: string): boolean {
    return this.#log.get(epoch)?.isVoid ?? false;
  }

  /** All that was ever written, read from Kafka. */
  async writtenLog(): Promise<WrittenLog> {
    for (const topic of TOPIC_NAMES) this.#keep(topic, await readBack(this.#kafka.client(), topic), false);
    return this.#log;
  }

  /** The client gives up where a broker hasn't heard of the new topic when it asks for its leaders. */
  async #createWhole(topic: TopicName, partitions: number): Promise<void> {
    const failure = await createTopic(this.#admin, topic, partitions).then(
      () => undefined,
      (error: Error) => error,
    );
    if (failure === undefined) return;
    await eventually(async () => {
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
      const [found] = topics;
      return found?.partitions.length === partitions && found.partitions.every(({ leader }) => leader >= 0);
    }, `${topic} after ${failure.message}`);
  }

  #keep(topic: TopicName, contents: Contents, isVoid: boolean): void {
    for (const [partition, records] of contents)
      this.#log.set(this.epoch(topic, partition), { isVoid, isForgotten: topic === "brief", records });
  }
}

/** Every record of a log. */
export function* recordsOf(log: WrittenLog): Generator<Logged> {
  for (const { records } of log.values()) for (const list of records.values()) yield* list;
}
