/**
 * Kafka as a Source: no consumer group, but for each partition a loop of its own that fetches from the leader
 * by the topic's id. So a topic that was created again is another one to the broker itself, and a restart goes
 * on at once.
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   a broker can't be reached, or a partition has      backoff   after 10 s `unavailable`; describing,
 *   no leader or another, or the topic is unknown                after 2 s
 *   to the leader by its id
 */
/// <reference path="./kafkajs-parts.d.ts" />
import { setTimeout } from "node:timers/promises";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import { backoff } from "../../shared/core/backoff.ts";
import { epochOf } from "../epoch.ts";
import {
  type Batch,
  type PartitionInfo,
  type PartitionTime,
  type ReadRequest,
  type Source,
  SourceError,
} from "../source.ts";
import { Cluster } from "./cluster.ts";
import type { Fetcher, Mood } from "./fetcher.ts";
import { offsetAfter, partsOf } from "./record-batches.ts";
import {
  EARLIEST,
  type Fetched,
  KAFKA_ERROR,
  LATEST,
  listOffsetsRequest,
  type PartitionMetadata,
  type TopicMetadata,
} from "./requests.ts";
import type { KafkaSettings } from "./settings.ts";
import { WireError } from "./wire.ts";

const RETRY = { baseMs: 50, maxMs: 1_000 };
const READ_PATIENCE_MS = 10_000;
const DESCRIBE_PATIENCE_MS = 2_000;
/** What brokers answer where no record has the time that was asked for. */
const NO_OFFSET = -1;

export class KafkaSource implements Source {
  readonly #cluster: Cluster;
  readonly #closing = new AbortController();

  /** Connects when it is first asked. */
  constructor(settings: KafkaSettings) {
    this.#cluster = new Cluster(settings);
  }

  async topics(): Promise<readonly string[]> {
    return patiently(DESCRIBE_PATIENCE_MS, this.#closing.signal, async () => {
      const topics = await this.#cluster.topics();
      return topics.map(({ name }) => name);
    });
  }

  async offsetAt({ topic, partition, epoch, timestamp }: PartitionTime): Promise<number | undefined> {
    return patiently(DESCRIBE_PATIENCE_MS, this.#closing.signal, async () => {
      const found = partitionIn(await this.#topic(topic), topic, partition, epoch);
      const offset = (await this.#offsets(topic, [found.info], timestamp)).get(partition) ?? NO_OFFSET;
      return offset === NO_OFFSET ? undefined : offset;
    });
  }

  async describe(topic: string): Promise<readonly PartitionInfo[] | undefined> {
    return patiently(DESCRIBE_PATIENCE_MS, this.#closing.signal, async () => {
      const found = await this.#topic(topic);
      if (found === undefined) return undefined;
      // In this order, so that no partition seems to end before it begins.
      const starts = await this.#offsets(topic, found.partitions, EARLIEST);
      const ends = await this.#offsets(topic, found.partitions, LATEST);
      return found.partitions.map(({ partition }) => {
        const startOffset = starts.get(partition) ?? 0;
        return {
          partition,
          epoch: epochOf(found.id, partition),
          startOffset,
          endOffset: Math.max(startOffset, ends.get(partition) ?? 0),
        };
      });
    });
  }

  async read(request: ReadRequest, onBatch: (batch: Batch) => void | Promise<void>): Promise<void> {
    const done = new AbortController();
    const signal = AbortSignal.any([request.signal, this.#closing.signal, done.signal]);
    const reading = new PartitionReading(request, signal, (topic) => this.#topic(topic), this.#cluster);
    try {
      await reading.run(onBatch);
    } finally {
      done.abort();
    }
  }

  /** Ends all reads as if they were aborted. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cluster.close();
  }

  /** Undefined when there is no such topic. */
  async #topic(name: string): Promise<TopicMetadata | undefined> {
    const found = await this.#cluster.topic(name);
    switch (found.error) {
      case KAFKA_ERROR.none:
        return found;
      case KAFKA_ERROR.unknownTopicOrPartition:
      case KAFKA_ERROR.invalidTopic:
        return undefined;
      default:
        throw kafkaError(name, found.error);
    }
  }

  async #offsets(
    topic: string,
    partitions: readonly PartitionMetadata[],
    which: number,
  ): Promise<ReadonlyMap<number, number>> {
    const byLeader = Map.groupBy(partitions, ({ leader }) => leader);
    const listed = await Promise.all(
      Array.from(byLeader, ([leader, led]) => {
        const numbers = led.map(({ partition }) => partition);
        return this.#cluster.send(leader, listOffsetsRequest(topic, numbers, which));
      }),
    );
    const offsets = new Map<number, number>();
    for (const { partition, error, offset } of listed.flat()) {
      if (error !== KAFKA_ERROR.none) throw kafkaError(`${topic}/${partition}`, error);
      offsets.set(partition, offset);
    }
    return offsets;
  }
}

/** One read of one partition. */
class PartitionReading {
  readonly #request: ReadRequest;
  readonly #signal: AbortSignal;
  readonly #topic: (topic: string) => Promise<TopicMetadata | undefined>;
  readonly #cluster: Cluster;
  /** Where the partition is fetched from, while that is known. */
  #place: { readonly topicId: Buffer; readonly fetcher: Fetcher } | undefined;

  constructor(
    request: ReadRequest,
    signal: AbortSignal,
    topic: (topic: string) => Promise<TopicMetadata | undefined>,
    cluster: Cluster,
  ) {
    this.#request = request;
    this.#signal = signal;
    this.#topic = topic;
    this.#cluster = cluster;
  }

  /** Fetches one answer ahead of what is handled, and no more: that bounds what is in memory. */
  async run(onBatch: (batch: Batch) => void | Promise<void>): Promise<void> {
    let { from } = this.#request;
    let first = true;
    let coming = this.#fetch(from, "first");
    for (;;) {
      let fetched: Fetched;
      let next: number;
      try {
        fetched = await coming;
        next = this.#decoding(() => offsetAfter(fetched.records, from));
      } catch (error) {
        if (this.#signal.aborted) return;
        throw error;
      }
      coming = this.#fetch(next, next > from ? "flowing" : "idle");
      // It is looked at when its turn comes, if it does.
      coming.catch(() => {});

      const { lastStableOffset, records, aborted } = fetched;
      const parts = partsOf(records, from, aborted);
      for (;;) {
        const { value: part } = this.#decoding(() => parts.next());
        if (part === undefined && !first) break;
        if (this.#signal.aborted) return;
        const batch = part ?? { records: [], nextOffset: from };
        first = false;
        await onBatch({ ...batch, endOffset: Math.max(lastStableOffset, batch.nextOffset) });
        if (part === undefined) break;
      }
      from = next;
    }
  }

  #fetch(offset: number, mood: Mood): Promise<Fetched> {
    return patiently(READ_PATIENCE_MS, this.#signal, async () => {
      this.#place ??= await this.#locate();
      const { topicId, fetcher } = this.#place;
      const { topic, partition } = this.#request;
      try {
        const fetched = await fetcher.fetch({ topicId, partition, offset }, mood, this.#signal);
        if (fetched.error === KAFKA_ERROR.none) return fetched;
        if (fetched.error === KAFKA_ERROR.offsetOutOfRange)
          throw new SourceError("offset_out_of_range", `${topic}/${partition} does not hold ${offset}`);
        throw kafkaError(`${topic}/${partition}`, fetched.error);
      } catch (error) {
        this.#place = undefined;
        throw error;
      }
    });
  }

  async #locate(): Promise<{ topicId: Buffer; fetcher: Fetcher }> {
    const { topic, partition, epoch } = this.#request;
    const { id, info } = partitionIn(await this.#topic(topic), topic, partition, epoch);
    const fetcher = this.#cluster.fetcher(info.leader);
    if (fetcher === undefined) throw new Error(`${topic}/${partition} has no leader just now`);
    return { topicId: id, fetcher };
  }

  #decoding<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      const { topic, partition } = this.#request;
      throw new SourceError("corrupt", `${topic}/${partition} can't be read: ${error.message}`, {
        cause: error,
      });
    }
  }
}

/** Throws SourceError where the partition is not the one that had this epoch. */
function partitionIn(found: TopicMetadata | undefined, topic: string, partition: number, epoch: string) {
  if (found === undefined)
    throw new SourceError("unknown_topic", `there is no topic ${JSON.stringify(topic)}`);
  if (epochOf(found.id, partition) !== epoch)
    throw new SourceError("epoch_changed", `${topic}/${partition} is no longer of epoch ${epoch}`);
  const info = found.partitions.find((candidate) => candidate.partition === partition);
  if (info === undefined) throw new SourceError("unknown_topic", `${topic} has no partition ${partition}`);
  return { id: found.id, info };
}

/**
 * Tries until it works, or fails in a way that trying again won't mend, or `patienceMs` have passed since the
 * first failure. Rejects with SourceError, or as it may where the signal aborted.
 */
async function patiently<T>(patienceMs: number, signal: AbortSignal, body: () => Promise<T>): Promise<T> {
  let failedAt: number | undefined;
  for (let failures = 0; ; failures++) {
    let failure: unknown;
    try {
      return await body();
    } catch (error) {
      if (error instanceof SourceError && error.code !== "unavailable") throw error;
      failure = error;
    }
    failedAt ??= performance.now();
    if (signal.aborted || performance.now() - failedAt > patienceMs) {
      if (failure instanceof SourceError) throw failure;
      const message = failure instanceof Error ? failure.message : String(failure);
      throw new SourceError("unavailable", message, { cause: failure });
    }
    // An abort is seen after the next try, which it ends.
    await setTimeout(backoff(failures, RETRY, Math.random()), undefined, { signal }).catch(() => {});
  }
}

function kafkaError(what: string, error: number): SourceError {
  if (error === KAFKA_ERROR.corruptMessage)
    return new SourceError("corrupt", `${what} is damaged on the broker's disk`);
  if (error === KAFKA_ERROR.topicAuthorizationFailed)
    return new SourceError("unavailable", `${what} must not be read by this client`);
  const { message } = createErrorFromCode(error);
  return new SourceError("unavailable", `${what}: ${message} (Kafka's error ${error})`);
}
