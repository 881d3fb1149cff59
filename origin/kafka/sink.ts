/**
 * Kafka as a Sink. kafkajs connects, and no more: its producer rolls its sequence back when an answer is lost, so that
 * another batch can take the sequence of one that was appended (docs/publishing.md has what that does).
 *
 * What is tried again, after what delay, and how it ends:
 *
 *   a partition can't be claimed just now              backoff   after 15 s `unavailable`
 *   a batch can't be appended just now, and wasn't     backoff   (of the writer) when nobody waits for it any more
 *   whether a batch was appended isn't known           backoff   (of the writer) when it is known, or the topic is gone
 *   a fence can't be repeated                          backoff   after 20 h the partition is claimed anew
 */
import { type Claim, type ClaimRequest, type Sink, SinkError, type TopicCount } from "../publish/sink.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { UnsupportedError } from "./apis.ts";
import { KafkaClaim } from "./claim.ts";
import { Cluster } from "./cluster.ts";
import { markPartition, takeId, WriterIds } from "./fence.ts";
import { FENCE_TIMES, type FenceTimes, keepFenced } from "./keep-fenced.ts";
import { Lanes } from "./lanes.ts";
import { Leaders, type Place } from "./leaders.ts";
import { kafkaError } from "./patience.ts";
import { persist, sinkErrorOf } from "./persist.ts";
import type { ProducerIdentity, WriterIdentity } from "./produce-requests.ts";
import type { ProducedCodec } from "./produced-batch.ts";
import { producing } from "./producing.ts";
import type { Request } from "./request.ts";
import { EARLIEST, KAFKA_ERROR, LATEST, listOffsetsRequest } from "./requests.ts";
import type { KafkaSettings } from "./settings.ts";
import { Settling } from "./settling.ts";
import { Slots } from "./slots.ts";
import { forgetsIn, KEEPING, type TopicConfig, topicConfigRequest } from "./topic-config.ts";
import { epochIn, ownIdOf } from "./topic-epoch.ts";
import { type PublishWindow, readWindow } from "./window-read.ts";

export interface KafkaSinkOptions {
  /** What transactional ids begin with: all origins that publish to the same topics have the same. */
  readonly publishId: string;
  readonly codec?: ProducedCodec;
  /** Milliseconds since 1970. */
  readonly time?: () => number;
  /** Tests can't wait for hours. */
  readonly fenceTimes?: FenceTimes;
}

/** What a claim reads it holds in memory. One that hangs holds up no other. */
const CLAIMS = { prompt: 8, max: 32, slowMs: TIME_LIMITS.publishClaimSlowMs } as const;

const NO_OFFSET = -1;
const UNKNOWN_EPOCH = -1;

export class KafkaSink implements Sink {
  readonly #cluster: Cluster;
  readonly #lanes: Lanes;
  /** To read what was published while partitions are claimed. */
  readonly #readers: Lanes;
  #claiming = 0;
  readonly #leaders: Leaders;
  readonly #settling: Settling;
  readonly #ids: WriterIds;
  readonly #codec: ProducedCodec;
  readonly #time: () => number;
  readonly #fenceTimes: FenceTimes;
  readonly #closing = new AbortController();
  readonly #claims = new Slots(CLAIMS);

  /** Connects when something is first published. */
  constructor(settings: KafkaSettings, { publishId, codec, time, fenceTimes }: KafkaSinkOptions) {
    this.#cluster = new Cluster(settings);
    this.#lanes = new Lanes((broker) => this.#cluster.dial(broker));
    this.#readers = new Lanes((broker) => this.#cluster.dial(broker));
    this.#leaders = new Leaders(this.#cluster);
    this.#ids = new WriterIds(publishId);
    this.#settling = new Settling(this.#cluster, this.#leaders, this.#ids, this.#closing.signal);
    this.#codec = codec ?? "none";
    this.#time = time ?? Date.now;
    this.#fenceTimes = fenceTimes ?? FENCE_TIMES;
  }

  async partitions(topic: string): Promise<readonly string[] | undefined> {
    const until = performance.now() + TIME_LIMITS.describePatienceMs;
    const describe = () => this.#leaders.topic(topic);
    const found = await persist(describe, until, this.#closing.signal);
    return found?.partitions.map(({ partition }) => epochIn(found, partition));
  }

  async claim(request: ClaimRequest): Promise<Claim> {
    const release = await this.#claims.take();
    this.#claiming++;
    try {
      return await this.#claim(request);
    } catch (error) {
      throw sinkErrorOf(error);
    } finally {
      this.#claiming--;
      if (this.#claiming === 0) this.#readers.rest();
      release();
    }
  }

  isSettled(topic: TopicCount): Promise<boolean> {
    return this.#settling.isSettled(topic);
  }

  settle(topic: TopicCount): Promise<void> {
    return this.#settling.settle(topic);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#claims.close(new SinkError("unavailable", "the sink is closed"));
    this.#lanes.close();
    this.#readers.close();
    this.#cluster.close();
  }

  async #claim(request: ClaimRequest): Promise<Claim> {
    const signal = AbortSignal.any([request.signal, this.#closing.signal]);
    const until = performance.now() + TIME_LIMITS.publishClaimMs;
    const again = <T>(act: () => Promise<T>) => persist(act, until, signal);
    const { topic, partition } = request;
    const before = await again(() => this.#leaders.ask(request));
    const fenced = { id: this.#ids.ofPartition(before.id, partition), topic, partition };
    const taken = await again(async () => {
      const { leader } = await this.#leaders.locate(request);
      const from = await this.#begin(request, leader);
      return { from, identity: await this.#take(leader, fenced.id) };
    });
    const { identity, from } = taken;
    if (identity instanceof UnsupportedError)
      return this.#unfenced(request, before.partitions, identity.message);
    await again(async () =>
      markPartition(this.#cluster, (await this.#leaders.locate(request)).leader, fenced, identity),
    );
    const { window, after } = await again(() => this.#read(request, from, identity, signal));
    this.#judge(window);
    if (after.partitions !== before.partitions)
      throw new SinkError("unavailable", `${topic} has got partitions just now`);
    const { markOffset } = window;
    const forgets = await again(() => this.#forgets(request));
    const { partitions } = after;
    const writer = { id: identity.producerId, epoch: identity.producerEpoch };
    const facts = { identity, writer, partitions, forgets, markOffset, codec: this.#codec };
    const fence = async () =>
      markPartition(this.#cluster, (await this.#leaders.locate(request)).leader, fenced, identity);
    return new KafkaClaim(facts, {
      ...producing(request, this.#leaders, this.#lanes),
      keepFenced: (told) => keepFenced(fence, this.#fenceTimes, told),
    });
  }

  /**
   * Resolves with an error if the brokers have no transactions, or none that can be looked at: then origins can't agree on how
   * many partitions a topic has.
   */
  async #take(leader: number, id: string): Promise<WriterIdentity | UnsupportedError> {
    try {
      await this.#cluster.mustHave(leader, "DescribeTransactions");
      return await takeId(this.#cluster, leader, id);
    } catch (error) {
      if (error instanceof UnsupportedError) return error;
      throw error;
    }
  }

  /** Of such brokers. Whoever claims it later is asked first; nobody is kept from writing. */
  #unfenced(request: ClaimRequest, partitions: number, why: string): Claim {
    const writer = { id: 0, epoch: Math.floor(this.#time()) };
    const facts = {
      identity: undefined,
      writer,
      partitions,
      forgets: `one publish may become several records there (${why}): publish without a key of your own`,
      markOffset: -1,
      codec: this.#codec,
    };
    return new KafkaClaim(facts, {
      ...producing(request, this.#leaders, this.#lanes),
      keepFenced: () => () => {},
    });
  }

  /** Where to begin to read what was published: twice as long ago as is promised, since clocks differ. */
  async #begin({ topic, partition, windowMs }: ClaimRequest, leader: number): Promise<number> {
    const since = this.#time() - Math.max(2 * windowMs, TIME_LIMITS.publishColdMs);
    const first = await this.#offsetAt(leader, topic, partition, since);
    if (first !== NO_OFFSET) return first;
    // Nothing that can be read is as young; what transactions hold back may be.
    return this.#offsetAt(leader, topic, partition, LATEST);
  }

  async #offsetAt(leader: number, topic: string, partition: number, which: number): Promise<number> {
    const [found] = await this.#cluster.send(leader, listOffsetsRequest(topic, [partition], which));
    if (found === undefined || found.error !== KAFKA_ERROR.none)
      throw kafkaError(`${topic}/${partition}`, found?.error ?? KAFKA_ERROR.unknownTopicOrPartition);
    return found.offset;
  }

  async #read(
    request: ClaimRequest,
    from: number,
    identity: ProducerIdentity,
    signal: AbortSignal,
  ): Promise<{ readonly window: PublishWindow; readonly after: Place }> {
    const { topic, partition } = request;
    const place = await this.#leaders.locate(request);
    const { leader, leaderEpoch } = place;
    // What was deleted since is no matter: retention is longer than what is promised.
    const offset = Math.max(from, await this.#offsetAt(leader, topic, partition, EARLIEST));
    const of = { topic, topicId: ownIdOf(place), partition };
    const at = { ...of, offset, leaderEpoch, lastEpoch: UNKNOWN_EPOCH };
    const send = <T>(asked: Request<T>) => this.#readers.send(leader, asked);
    const window = await readWindow(send, at, identity, request.learn, signal);
    return { window, after: await this.#leaders.ask(request, place) };
  }

  async #forgets(request: ClaimRequest): Promise<string | undefined> {
    const { topic, windowMs } = request;
    const { leader } = await this.#leaders.locate(request);
    let config: TopicConfig;
    try {
      config = await this.#cluster.send(leader, topicConfigRequest(topic, KEEPING));
    } catch (error) {
      if (error instanceof UnsupportedError) return error.message;
      throw error;
    }
    const why = forgetsIn(windowMs, config);
    return why && `${topic} doesn't keep what a publish with an id of its own needs: ${why}`;
  }

  #judge({ markedAt, newIdAt }: PublishWindow): void {
    const now = this.#time();
    if (Math.abs(now - markedAt) > TIME_LIMITS.publishClockMs)
      throw new SinkError(
        "unavailable",
        `this origin's clock is ${Math.round(Math.abs(now - markedAt) / 1_000)} s off the broker's: set it right`,
      );
    if (newIdAt !== undefined && now - newIdAt < TIME_LIMITS.publishColdMs)
      throw new SinkError(
        "unavailable",
        "Kafka forgot the transactional id of this partition: what its last writer had under way may still come",
      );
  }
}
