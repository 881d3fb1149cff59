/**
 * Kafka as a Source, or whatever speaks its protocol: no consumer group, but for each partition a loop of its own that
 * fetches from the leader, by the topic's id where it has one. So a topic that was created again is another one to the
 * broker itself, and a restart goes on at once.
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   no broker can be reached                           backoff   after 2 s `unavailable`; reading, after 10 s
 *   a partition's leader can't be reached, or          backoff   after 10 s `unavailable`; describing, after
 *   there is none, or the topic is unknown                       0.5 s without this partition's offsets
 *   to the leader by its id
 *   a leader doesn't answer while describing           –         after 2 s of silence without its partitions' offsets
 *   no memory to unpack a batch in                     in line   when others have unpacked theirs; after 2 s one that
 *                                                                is stuck with what it read loses it
 *
 * Whatever is tried again, no address is dialled more than twice a second: see dial-policy.ts.
 */
import {
  type Batch,
  type DescribedPartition,
  isAvailable,
  type PartitionInfo,
  type PartitionTime,
  type ReadRequest,
  type Source,
  SourceError,
  type UnavailablePartition,
} from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { REPLACED } from "./apis.ts";
import type { Reached } from "./batch-headers.ts";
import { Cluster } from "./cluster.ts";
import { FetchLoop, noLeader, partitionIn } from "./fetch-loop.ts";
import { foundTopic } from "./found-topic.ts";
import { Memory } from "./memory.ts";
import { kafkaError, patiently, pause, unlessSilent, wordsOf } from "./patience.ts";
import {
  EARLIEST,
  KAFKA_ERROR,
  LATEST,
  type ListedOffset,
  listOffsetsRequest,
  type PartitionMetadata,
  type TopicMetadata,
} from "./requests.ts";
import type { KafkaSettings } from "./settings.ts";
import { epochIn } from "./topic-epoch.ts";

const DESCRIBE_PATIENCE_MS = TIME_LIMITS.describePatienceMs;
const READ_PATIENCE_MS = TIME_LIMITS.fetchPatienceMs;
/** What brokers answer if no record has the time that was asked for. */
const NO_OFFSET = -1;
/** Leaders change, and are told of it, in less. */
const OFFSETS_PATIENCE_MS = TIME_LIMITS.offsetsPatienceMs;
const OFFSETS_SILENCE_MS = TIME_LIMITS.offsetsSilentMs;

/** Reads that hang together are helped together. */
const RENEW_MS = TIME_LIMITS.renewMs;

/** A partition's offsets, or why they can't be had. */
type Offsets = Pick<PartitionInfo, "startOffset" | "endOffset"> | Pick<UnavailablePartition, "unavailable">;

export class KafkaSource implements Source {
  readonly #cluster: Cluster;
  readonly #lacks: KafkaSettings["lacks"];
  readonly #patienceMs: number;
  readonly #closing = new AbortController();
  readonly #reached = new Map<string, Reached>();
  readonly #memory = new Memory();
  #renewedAt = Number.NEGATIVE_INFINITY;

  /** Connects when it is first asked. */
  constructor(settings: KafkaSettings) {
    this.#cluster = new Cluster(settings);
    this.#lacks = settings.lacks;
    this.#patienceMs = settings.limits?.patienceMs ?? READ_PATIENCE_MS;
  }

  async topics(): Promise<readonly string[]> {
    return patiently(DESCRIBE_PATIENCE_MS, this.#closing.signal, async () => {
      const topics = await this.#cluster.topics();
      return topics.map(({ name }) => name);
    });
  }

  async offsetAt({ topic, partition, epoch, timestamp }: PartitionTime): Promise<number | undefined> {
    return patiently(DESCRIBE_PATIENCE_MS, this.#closing.signal, async () => {
      const { info } = partitionIn(await this.#topic(topic), topic, partition, epoch);
      const ask = async (which: number): Promise<number> => {
        const request = listOffsetsRequest(topic, [partition], which);
        const [found] = await this.#cluster.send(info.leader, request);
        if (found === undefined) throw new SourceError("unavailable", `${topic}/${partition} is left out`);
        if (found.error !== KAFKA_ERROR.none) throw kafkaError(`${topic}/${partition}`, found.error);
        return found.offset;
      };
      const offset = await ask(timestamp);
      if (offset === NO_OFFSET) return undefined;
      // No record is at the end. There are logs that don't look at times, and tell their end: all is read of these.
      return offset < (await ask(LATEST)) ? offset : ask(EARLIEST);
    });
  }

  async describe(topic: string): Promise<readonly DescribedPartition[] | undefined> {
    const { signal } = this.#closing;
    const began = performance.now();
    for (let failures = 0; ; failures++) {
      const described = await patiently(DESCRIBE_PATIENCE_MS, signal, () => this.#describe(topic));
      if (signal.aborted) throw new SourceError("unavailable", "the source is closed");
      const whole = described?.every(isAvailable) ?? true;
      if (whole || performance.now() - began > OFFSETS_PATIENCE_MS) return described;
      await pause(failures, signal);
    }
  }

  async read(request: ReadRequest, onBatch: (batch: Batch) => void | Promise<void>): Promise<void> {
    if (request.anew === true) this.#renew();
    const done = new AbortController();
    const signal = AbortSignal.any([request.signal, this.#closing.signal, done.signal]);
    const ports = {
      topic: (topic: string) => this.#topic(topic),
      cluster: this.#cluster,
      reached: this.#reached,
      memory: this.#memory,
      patienceMs: this.#patienceMs,
    };
    try {
      await new FetchLoop(request, signal, ports, onBatch).run();
    } finally {
      done.abort();
    }
  }

  /** Ends all reads as if they were aborted. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cluster.close();
  }

  #renew(): void {
    const now = performance.now();
    if (now - this.#renewedAt < RENEW_MS) return;
    this.#renewedAt = now;
    this.#cluster.renew();
  }

  async #describe(topic: string): Promise<readonly DescribedPartition[] | undefined> {
    const found = await this.#topic(topic);
    if (found === undefined) return undefined;
    if (!found.hasOwnId) this.#lacks?.(`topics have no ids: ${REPLACED}`);
    const byLeader = Map.groupBy(found.partitions, ({ leader }) => leader);
    const asked = Array.from(byLeader, ([leader, led]) => this.#offsets(topic, leader, led));
    const offsets = new Map((await Promise.all(asked)).flat());
    return found.partitions.map(({ partition }) => ({
      partition,
      epoch: epochIn(found, partition),
      ...(offsets.get(partition) ?? { unavailable: "its leader's answer leaves it out" }),
    }));
  }

  /** Undefined when there is no such topic. */
  async #topic(name: string): Promise<TopicMetadata | undefined> {
    return foundTopic(await this.#cluster.topic(name), name);
  }

  /** Those of partitions with one leader. Never rejects: what befalls this leader's is no matter to others. */
  async #offsets(
    topic: string,
    leader: number,
    led: readonly PartitionMetadata[],
  ): Promise<[partition: number, Offsets][]> {
    const numbers = led.map(({ partition }) => partition);
    const fail = (unavailable: string) =>
      numbers.map((number): [number, Offsets] => [number, { unavailable }]);
    if (this.#cluster.fetcher(leader) === undefined) return fail(noLeader(leader));
    const ask = (which: typeof EARLIEST | typeof LATEST) =>
      this.#cluster.send(leader, listOffsetsRequest(topic, numbers, which));
    try {
      // In this order, so that no partition seems to end before it begins.
      const both = Promise.all([ask(EARLIEST), ask(LATEST)]);
      const heard = () => this.#cluster.signs(leader);
      const [starts, ends] = await unlessSilent(OFFSETS_SILENCE_MS, both, heard, "it doesn't answer");
      return starts.map((start) => [
        start.partition,
        offsetsOf(
          start,
          ends.find(({ partition }) => partition === start.partition),
        ),
      ]);
    } catch (error) {
      return fail(`its leader, broker ${leader}, can't be asked: ${wordsOf(error)}`);
    }
  }
}

function offsetsOf(start: ListedOffset, end: ListedOffset | undefined): Offsets {
  const error = start.error || end?.error;
  if (error) return { unavailable: kafkaError("its leader says", error).message };
  return { startOffset: start.offset, endOffset: Math.max(start.offset, end?.offset ?? 0) };
}
