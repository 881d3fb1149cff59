/** What a run writes to and subscribes to. */
import type { Admin } from "kafkajs";
import { eventually } from "../support/deadline.ts";
import type { KafkaBroker } from "../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../support/kafka-topics.ts";
import type { Logged, LoggedEpoch, WrittenLog } from "./history.ts";
import { doneByOthers } from "./not-injected.ts";
import type { PublishedLog, PublishedRecord } from "./publishing/publish-checker.ts";
import { CLIENT_HEADER } from "./publishing/publishers.ts";
import { type Contents, readAll, readBack } from "./read-back.ts";
import { endOf, idOf } from "./record.ts";
import { type Kept, whole, withVanished } from "./vanished.ts";
import type { Writer } from "./writer.ts";

export interface TopicPlan {
  readonly keys: number;
  readonly partitions: number;
  readonly perSecond: number;
  /** Subscribers by the protocol alone, and by the product's client; spread over the keys. */
  readonly raw: number;
  readonly product: number;
  /** Subscribers by the protocol alone that stay away for long, and come back to where they were. */
  readonly wanderers: number;
  /** The share of tombstones. */
  readonly tombstones?: number;
  /** Whether records vanish from it, so that the end doesn't tell what was written. */
  readonly isForgetful?: true;
  /** What Kafka is to do with it. */
  readonly configs?: Readonly<Record<string, string>>;
  /** What streams.json says of it. */
  readonly stream?: Readonly<Record<string, unknown>>;
}

/** The window at the edge is small, so that some who come back are answered from there and some from the index. */
const WINDOW = { updates: 20, seconds: 3_600 };
/** The index of this one holds so little that some who come back are answered by reading Kafka again (R7). */
const BRIEF = { window: { updates: 5, seconds: 4 }, replay: 1_000_000 };

/** The index of this one forgets, and Kafka isn't read again for it. */
const AGING = { window: { updates: 20, seconds: 3 } };
/** Within seconds, but not so soon that an origin that is a little behind never sees all. */
const COMPACTED = {
  "cleanup.policy": "compact",
  "min.compaction.lag.ms": "4000",
  "segment.ms": "1000",
  "min.cleanable.dirty.ratio": "0.001",
  "delete.retention.ms": "100",
};

export const TOPICS = {
  /** The main one. */
  load: { keys: 40, partitions: 6, perSecond: 220, raw: 56, product: 10, wanderers: 0 },
  /** Gets more and more partitions. */
  growing: { keys: 6, partitions: 2, perSecond: 30, raw: 6, product: 2, wanderers: 0 },
  /** Is deleted and created again. */
  reborn: { keys: 4, partitions: 2, perSecond: 20, raw: 6, product: 2, wanderers: 0 },
  /** Is hardly kept but in Kafka. */
  brief: { keys: 4, partitions: 2, perSecond: 20, raw: 6, product: 2, wanderers: 2, stream: BRIEF },
  /** Has large values, for those who don't read them. */
  bulky: { keys: 1, partitions: 1, perSecond: 1, raw: 3, product: 0, wanderers: 0 },
  /** Is compacted by Kafka all the time. */
  compacted: {
    keys: 8,
    partitions: 2,
    perSecond: 16,
    raw: 6,
    product: 2,
    wanderers: 4,
    tombstones: 0.15,
    isForgetful: true,
    configs: COMPACTED,
    stream: { compacted: true },
  },
  /** Kafka is told to delete its records. */
  purged: { keys: 4, partitions: 2, perSecond: 12, raw: 3, product: 1, wanderers: 2, isForgetful: true },
  /** Has transactions that stay open. */
  pinned: { keys: 4, partitions: 2, perSecond: 12, raw: 3, product: 1, wanderers: 1 },
  /** Ages out of the index, and is not read again. */
  aging: { keys: 4, partitions: 1, perSecond: 4, raw: 3, product: 1, wanderers: 3, stream: AGING },
  /** Gets so much at once that the index is full of it, and drops its oldest. */
  crowded: { keys: 2, partitions: 1, perSecond: 2, raw: 2, product: 1, wanderers: 1 },
  /** Is published to through the edge, and written to by others as well. */
  posted: {
    keys: 12,
    partitions: 3,
    perSecond: 6,
    raw: 12,
    product: 3,
    wanderers: 1,
    stream: { publish: "public" },
  },
  /** Has many keys, for connections that follow many. */
  many: { keys: 2_000, partitions: 4, perSecond: 20, raw: 0, product: 0, wanderers: 0 },
} as const satisfies Record<string, TopicPlan>;

/**
 * What the index no longer holds of these is lost to those who resume from before it: Kafka isn't read again. Of the large
 * values more may come at once than the index takes.
 */
export const SHORT = ["aging", "crowded", "bulky"] as const satisfies readonly (keyof typeof TOPICS)[];

export const planOf = (topic: TopicName): TopicPlan => TOPICS[topic];

export type TopicName = keyof typeof TOPICS;

export const TOPIC_NAMES = Object.keys(TOPICS) as TopicName[];

export const keysOf = (topic: TopicName) => Array.from({ length: TOPICS[topic].keys }, (_, i) => `key-${i}`);

/** Paths for connections of many endpoints. One with large values would hold up all others of its connection. */
export const followable = (count: number): readonly string[] =>
  [...TOPIC_NAMES]
    .filter((topic) => topic !== "bulky")
    .flatMap((topic) => keysOf(topic).map((key) => `/${topic}/${key}`))
    .slice(0, count);

/** Of a topic that has more keys than are followed, only those are written to. */
export function writtenKeys(topic: TopicName, followed: number): readonly string[] {
  if (topic !== "many") return keysOf(topic);
  const isFollowed = new Set(followable(followed));
  const keys = keysOf(topic).filter((key) => isFollowed.has(`/${topic}/${key}`));
  return keys.length > 0 ? keys : keysOf(topic).slice(0, 1);
}

export const streamsJson = () =>
  JSON.stringify({
    streams: Object.fromEntries(
      TOPIC_NAMES.map((topic) => [
        topic,
        { title: topic, subscribe: "public", window: WINDOW, ...planOf(topic).stream },
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

  /** Nobody may be writing to it. What it held is kept; where that can't be read in time, the topic is, too. */
  async delete(topic: TopicName): Promise<void> {
    const contents = await doneByOthers(readBack(this.#kafka.client(), topic));
    this.#keep(topic, whole(contents), true);
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

  /** What a topic holds just now. */
  held(topic: TopicName): Promise<Contents> {
    return readBack(this.#kafka.client(), topic);
  }

  /** All that was ever written, read from Kafka, and what has vanished from it. Nobody may be writing any more. */
  async writtenLog(writers: ReadonlyMap<TopicName, Writer>): Promise<WrittenLog> {
    for (const topic of TOPIC_NAMES) {
      await this.#end(topic);
      const contents = await readBack(this.#kafka.client(), topic);
      const writer = planOf(topic).isForgetful && writers.get(topic);
      this.#keep(topic, writer ? withVanished(contents, writer) : whole(contents), false);
    }
    return this.#log;
  }

  /** All that a topic holds, by whomever. */
  async published(topic: TopicName): Promise<PublishedLog> {
    const log = new Map<string, PublishedRecord[]>();
    await readAll(this.#kafka.client(), topic, (partition, message) => {
      const { key, value, headers, offset } = message;
      const epoch = this.epoch(topic, partition);
      const records = log.get(epoch) ?? [];
      if (records.length === 0) log.set(epoch, records);
      records.push({
        offset: Number(offset),
        endpoint: `/${topic}/${key}`,
        id: idOf(message),
        value: value?.toString() ?? null,
        client: headers?.[CLIENT_HEADER]?.toString(),
      });
    });
    return log;
  }

  /** A record after all others, which nobody watches: else one could end with what no consumer is shown. */
  async #end(topic: TopicName): Promise<void> {
    const producer = this.#kafka.client().producer();
    await producer.connect();
    const partitions = Array.from({ length: this.partitions.get(topic) ?? 0 }, (_, partition) => partition);
    const messages = partitions.map(endOf);
    await producer.send({ topic, acks: -1, messages });
    await producer.disconnect();
  }

  /** The client gives up where a broker hasn't heard of the new topic when it asks for its leaders. */
  async #createWhole(topic: TopicName, partitions: number): Promise<void> {
    const failure = await createTopic(this.#admin, topic, partitions, planOf(topic).configs).then(
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

  #keep(topic: TopicName, log: ReadonlyMap<number, Kept>, isVoid: boolean): void {
    const isShort = SHORT.some((short) => short === topic);
    const isForgotten = topic === "brief" || isShort;
    for (const [partition, kept] of log)
      this.#log.set(this.epoch(topic, partition), { isVoid, isForgotten, isShort, ...kept });
  }
}

/** Every record of a log. */
export function* recordsOf(log: WrittenLog): Generator<Logged> {
  for (const { records } of log.values()) for (const list of records.values()) yield* list;
}
