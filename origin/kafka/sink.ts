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
import { epochOf } from "../source/epoch.ts";
import { SourceError } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { type ClaimPorts, KafkaClaim } from "./claim.ts";
import { Cluster } from "./cluster.ts";
import { UnsupportedError } from "./connection.ts";
import { isTaken, markPartition, takeId } from "./fence.ts";
import { FENCE_TIMES, type FenceTimes, keepFenced } from "./keep-fenced.ts";
import { Lanes, UnsentError } from "./lanes.ts";
import { NamedTopicCheck } from "./named-topic.ts";
import { kafkaError, pause, wordsOf } from "./patience.ts";
import { type ProducerIdentity, produceRequest, WRITE_ERROR } from "./produce-requests.ts";
import type { ProducedCodec } from "./produced-batch.ts";
import { publishable } from "./publishable.ts";
import type { Request } from "./request.ts";
import {
  EARLIEST,
  KAFKA_ERROR,
  LATEST,
  listOffsetsRequest,
  metadataRequest,
  type TopicMetadata,
} from "./requests.ts";
import type { KafkaSettings } from "./settings.ts";
import { Slots } from "./slots.ts";
import { forgetsIn, KEEPING, topicConfigRequest } from "./topic-config.ts";
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

/** Where a partition is led. */
interface Place {
  readonly topicId: Buffer;
  readonly leader: number;
  readonly leaderEpoch: number;
  /** How many the topic has, as whoever was asked knows. */
  readonly partitions: number;
}

/** What a claim reads it holds in memory. One that hangs holds up no other. */
const CLAIMS = { prompt: 8, max: 32, slowMs: TIME_LIMITS.publishClaimSlowMs } as const;

const PRODUCE_WAITS = { timeoutMs: TIME_LIMITS.produceReplicasMs, silenceMs: TIME_LIMITS.produceSilentMs };
const UNFENCED =
  "Kafka has no transactions there, so that one publish may become several records: publish without a key of your own";
const NO_OFFSET = -1;
const UNKNOWN_EPOCH = -1;

export class KafkaSink implements Sink {
  readonly #cluster: Cluster;
  readonly #lanes: Lanes;
  readonly #publishId: string;
  readonly #codec: ProducedCodec;
  readonly #time: () => number;
  readonly #fenceTimes: FenceTimes;
  readonly #closing = new AbortController();
  readonly #claims = new Slots(CLAIMS);

  /** Connects when something is first published. */
  constructor(settings: KafkaSettings, { publishId, codec, time, fenceTimes }: KafkaSinkOptions) {
    this.#cluster = new Cluster(settings);
    this.#lanes = new Lanes((broker) => this.#cluster.dial(broker));
    this.#publishId = publishId;
    this.#codec = codec ?? "none";
    this.#time = time ?? Date.now;
    this.#fenceTimes = fenceTimes ?? FENCE_TIMES;
  }

  async partitions(topic: string): Promise<readonly string[] | undefined> {
    const until = performance.now() + TIME_LIMITS.describePatienceMs;
    const describe = () => this.#topic(topic);
    const found = await persist(describe, until, this.#closing.signal);
    return found?.partitions.map(({ partition }) => epochOf(found.id, partition));
  }

  async claim(request: ClaimRequest): Promise<Claim> {
    const release = await this.#claims.take();
    try {
      return await this.#claim(request);
    } catch (error) {
      throw sinkErrorOf(error);
    } finally {
      release();
    }
  }

  /** Brokers without transactions promise nothing that this would be asked for. */
  async isSettled(topic: TopicCount): Promise<boolean> {
    const isKnown = this.#settling(
      topic,
      async (leader, id) => (await isTaken(this.#cluster, leader, id)) || this.#isUnwritten(topic),
    );
    return (await ifSupported(isKnown)) ?? true;
  }

  /** A transactional id that says so by being known: no partition is touched, and it is known for a week. */
  async settle(topic: TopicCount): Promise<void> {
    await this.#settling(topic, (leader, id) => takeId(this.#cluster, leader, id));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#claims.close(new SinkError("unavailable", "the sink is closed"));
    this.#lanes.close();
    this.#cluster.close();
  }

  async #claim(request: ClaimRequest): Promise<Claim> {
    const signal = AbortSignal.any([request.signal, this.#closing.signal]);
    const until = performance.now() + TIME_LIMITS.publishClaimMs;
    const again = <T>(act: () => Promise<T>) => persist(act, until, signal);
    const { topic, partition } = request;
    const before = await again(() => this.#askLeader(request));
    const fenced = { id: this.#writerId(before.topicId, partition), topic, partition };
    const taken = await again(async () => {
      const { leader } = await this.#locate(request);
      const from = await this.#begin(request, leader);
      return { from, identity: await ifSupported(takeId(this.#cluster, leader, fenced.id)) };
    });
    const { identity, from } = taken;
    if (identity === undefined) return this.#unfenced(request, before.partitions);
    await again(async () =>
      markPartition(this.#cluster, (await this.#locate(request)).leader, fenced, identity),
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
      markPartition(this.#cluster, (await this.#locate(request)).leader, fenced, identity);
    return new KafkaClaim(facts, {
      ...this.#ports(request),
      keepFenced: (told) => keepFenced(fence, this.#fenceTimes, told),
    });
  }

  /** Of brokers without transactions. Whoever claims it later is asked first; nobody is kept from writing. */
  #unfenced(request: ClaimRequest, partitions: number): Claim {
    const writer = { id: 0, epoch: Math.floor(this.#time()) };
    const facts = { identity: undefined, writer, partitions, forgets: UNFENCED, markOffset: -1, codec: this.#codec };
    return new KafkaClaim(facts, { ...this.#ports(request), keepFenced: () => () => {} });
  }

  async #settling<T>(
    { topic, epochs }: TopicCount,
    act: (leader: number, id: string) => Promise<T>,
  ): Promise<T> {
    const [epoch = ""] = epochs;
    const until = performance.now() + TIME_LIMITS.describePatienceMs;
    const ask = async () => {
      const { leader, topicId } = await this.#locate({ topic, partition: 0, epoch });
      return act(leader, `${this.#publishId}.${idText(topicId)}.of.${epochs.length}`);
    };
    return persist(ask, until, this.#closing.signal);
  }

  /**
   * Whether nobody has claimed any partition for a week, and all leaders know of as many: then nobody writes by a smaller count,
   * nor will.
   */
  async #isUnwritten({ topic, epochs }: TopicCount): Promise<boolean> {
    for (const [partition, epoch] of epochs.entries()) {
      const { leader, topicId, partitions } = await this.#askLeader({ topic, partition, epoch });
      if (partitions !== epochs.length) return false;
      if (await isTaken(this.#cluster, leader, this.#writerId(topicId, partition))) return false;
    }
    return true;
  }

  #writerId(topicId: Buffer, partition: number): string {
    return `${this.#publishId}.${idText(topicId)}.${partition}`;
  }

  /** Undefined when there is no such topic. */
  async #topic(name: string): Promise<TopicMetadata | undefined> {
    return publishable(await this.#cluster.topic(name), name);
  }

  async #locate(request: Where): Promise<Place> {
    return placeOf(await this.#topic(request.topic), request);
  }

  /**
   * What whoever leads the partition knows of the topic. Who led before knew no more; who leads later will know no less, since
   * a broker learns of an election after all that came before it. So two who claim the partition one after the other, and
   * ask its leader before and after, agree on how many partitions there are: the later one knows of as many, or more.
   */
  async #askLeader(request: Where, led?: Place): Promise<Place> {
    const { leader, leaderEpoch } = led ?? (await this.#locate(request));
    const { topics } = await this.#cluster.send(leader, metadataRequest(request.topic));
    const [found] = topics;
    const place = placeOf(found && publishable(found, request.topic), request);
    if (place.leader !== leader || (led !== undefined && place.leaderEpoch !== leaderEpoch))
      throw new Error(`${request.topic}/${request.partition} is led by another broker now`);
    return place;
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
    const place = await this.#locate(request);
    const { topicId, leader, leaderEpoch } = place;
    // What was deleted since is no matter: retention is longer than what is promised.
    const offset = Math.max(from, await this.#offsetAt(leader, topic, partition, EARLIEST));
    const connection = this.#cluster.dial(leader);
    const close = () => connection.close();
    signal.addEventListener("abort", close);
    try {
      const at = { topicId, partition, offset, leaderEpoch, lastEpoch: UNKNOWN_EPOCH };
      const window = await readWindow(connection, at, identity, request.learn, signal);
      return { window, after: await this.#askLeader(request, place) };
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }

  async #forgets(request: ClaimRequest): Promise<string | undefined> {
    const { topic, windowMs } = request;
    const { leader } = await this.#locate(request);
    const config = await this.#cluster.send(leader, topicConfigRequest(topic, KEEPING));
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

  #ports(request: ClaimRequest): Omit<ClaimPorts, "keepFenced"> {
    const { topic, partition } = request;
    let place: Promise<Place> | undefined;
    const check = new NamedTopicCheck();
    return {
      produce: async (batch, which, isLate) => {
        place ??= this.#locate(request);
        const { leader, topicId } = await unsent(place);
        const send = <T>(sent: Request<T>) => this.#lanes.send(leader, sent, which);
        const named = { topic, topicId, partition };
        if (check.isDue) await unsent(check.show(send, named));
        const answer = await send(unlessLate(produceRequest(named, batch, PRODUCE_WAITS), isLate));
        if (!check.answered(answer.isById) && answer.error === WRITE_ERROR.none) await check.show(send, named);
        return answer;
      },
      relocate: () => {
        place = undefined;
      },
    };
  }
}

type Where = Pick<ClaimRequest, "topic" | "partition" | "epoch">;

function placeOf(found: TopicMetadata | undefined, { topic, partition, epoch }: Where): Place {
  const info = found?.partitions.find((candidate) => candidate.partition === partition);
  if (found === undefined || info === undefined || epochOf(found.id, partition) !== epoch)
    throw new SinkError("changed", `${topic}/${partition} is no longer there, or is another one`);
  const { leader, leaderEpoch } = info;
  if (leader < 0) throw new Error(`nobody leads ${topic}/${partition} just now`);
  return { topicId: found.id, leader, leaderEpoch, partitions: found.partitions.length };
}

/** As Kafka shows it. */
const idText = (topicId: Buffer) => topicId.toString("base64url");

/** Tries until it works, or fails in a way that trying again won't mend, or its time is over. Rejects with SinkError. */
async function persist<T>(act: () => Promise<T>, until: number, signal: AbortSignal): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof UnsupportedError) throw error;
      if (error instanceof SinkError && error.code !== "unavailable") throw error;
      if (signal.aborted || performance.now() > until) throw sinkErrorOf(error);
    }
    await pause(failures, signal);
  }
}

/** Undefined if the broker has no such request. */
function ifSupported<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof UnsupportedError) return undefined;
    throw error;
  });
}

/** This process may have been stopped since: it looks at the time when the request is about to leave. */
function unlessLate<T>(request: Request<T>, isLate: () => boolean): Request<T> {
  const { newer, encode } = request;
  return {
    ...request,
    ...(newer && { newer: unlessLate(newer, isLate) }),
    encode: () => {
      if (isLate()) throw new UnsentError("its time was over before it left");
      return encode();
    },
  };
}

/** What is done before something is sent. */
async function unsent<T>(before: Promise<T>): Promise<T> {
  try {
    return await before;
  } catch (error) {
    throw error instanceof SinkError ? error : new UnsentError(wordsOf(error), { cause: error });
  }
}

function sinkErrorOf(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const message = error instanceof SourceError ? error.message : wordsOf(error);
  return new SinkError("unavailable", message, { cause: error });
}
