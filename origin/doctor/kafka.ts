/** Asks Kafka what an origin needs of it, broker by broker and topic by topic, over connections of its own. */
import type { Stream, Streams } from "../../shared/config/streams.ts";
import { shortcomings, UnsupportedError } from "../kafka/apis.ts";
import { UNKNOWN_EPOCH } from "../kafka/batch-headers.ts";
import { BrokerConnection } from "../kafka/connection.ts";
import { type Fetched, fetchRequest } from "../kafka/fetch-request.ts";
import { Memory } from "../kafka/memory.ts";
import { partsOf } from "../kafka/part-reader.ts";
import { commitTxnRequest } from "../kafka/produce-requests.ts";
import {
  type BrokerAddress,
  EARLIEST,
  KAFKA_ERROR,
  LATEST,
  listOffsetsRequest,
  metadataRequest,
  type TopicMetadata,
} from "../kafka/requests.ts";
import type { KafkaSettings } from "../kafka/settings.ts";
import { KEEPING, topicConfigRequest } from "../kafka/topic-config.ts";
import { ownIdOf } from "../kafka/topic-epoch.ts";
import { type Finding, hint, ok, wrong } from "./finding.ts";
import {
  brokerFinding,
  configFindings,
  denied,
  inWords,
  metadataFindings,
  sessionWords,
  topicFindings,
  type Ways,
} from "./kafka-findings.ts";
import { matchedBy } from "./matched.ts";
import { transactionFinding, writeFindings } from "./publish-findings.ts";
import { type Address, reach, wordsOf } from "./reach.ts";
import { Sample } from "./sample.ts";

/** Partitions of a topic that are read from, to see whether they may be, and what is in them. */
const SAMPLED = 32;
const SAMPLE_BYTES = 16 * 1024;
const SAMPLE_RECORDS = 100;
/** Asked for if nothing is exposed; it is never created. */
const ANY_TOPIC = "distributary";

export async function* examineKafka(
  settings: KafkaSettings,
  streams: Streams | undefined,
  publishId: string | undefined,
): AsyncGenerator<Finding, void> {
  const examination = new Examination(settings);
  try {
    yield* examination.brokers(streams?.named[0]?.topic ?? ANY_TOPIC);
    if (streams === undefined) return;
    const existing = streams.hasPatterns ? await examination.topics() : [];
    const matched = matchedBy(streams, existing);
    yield* matched.findings;
    for (const stream of matched.streams) yield* examination.topic(stream);
    if (publishId !== undefined && matched.streams.some(({ publish }) => publish !== "nobody"))
      yield* examination.transactions(publishId);
  } finally {
    examination.close();
  }
}

class Examination {
  readonly #settings: KafkaSettings;
  readonly #ways: Ways;
  /** Brokers that answer, by address. */
  readonly #sessions = new Map<string, BrokerConnection>();
  #advertised: readonly BrokerAddress[] = [];
  /** What brokers lack, which most lack alike. */
  readonly #lacking = new Set<string>();

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
    this.#ways = { tls: settings.tls !== undefined, mechanism: settings.sasl?.mechanism.toUpperCase() };
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close();
  }

  async *brokers(topic: string): AsyncGenerator<Finding, void> {
    for (const broker of this.#settings.brokers)
      yield* await this.#broker(`broker ${broker}`, addressOf(broker), "KAFKA_BROKERS", topic);
    const [session] = this.#sessions.values();
    if (session === undefined) return;
    this.#advertised = (await session.send(metadataRequest(topic))).brokers;
    for (const { id, host, port } of this.#advertised) {
      const name = nameOf({ host, port });
      const what = `broker ${id}, advertised as ${name}`;
      if (this.#sessions.has(name)) yield ok(what, "is one of KAFKA_BROKERS");
      else
        yield* await this.#broker(
          what,
          { host, port },
          "the broker's advertised.listeners, to what this machine can reach",
          topic,
        );
    }
  }

  /** All that this account may know of; none if no broker answers. */
  async topics(): Promise<string[]> {
    const [session] = this.#sessions.values();
    const { topics } = (await session?.send(metadataRequest(undefined)).catch(() => undefined)) ?? {
      topics: [],
    };
    return topics.map(({ name }) => name);
  }

  async *topic(stream: Stream): AsyncGenerator<Finding, void> {
    const what = `topic ${stream.topic}`;
    const [session] = this.#sessions.values();
    if (session === undefined)
      return yield hint(what, "it isn't examined, since no broker answers", "mend that first");
    try {
      const isPublished = stream.publish !== "nobody";
      const [metadata] = (await session.send(metadataRequest(stream.topic, isPublished))).topics;
      if (metadata === undefined) throw new Error("the broker says nothing of it");
      const findings = metadataFindings(stream.topic, metadata);
      yield* findings;
      if (metadata.error !== KAFKA_ERROR.none) return;
      yield* await this.#readable(stream, metadata);
      yield* configFindings(stream, await this.#config(stream.topic));
      if (isPublished) yield* writeFindings(stream.topic, metadata.operations);
    } catch (error) {
      yield wrong(what, `it can't be examined: ${messageOf(error)}`, "see the brokers' log");
    }
  }

  /** Ends a transaction that nobody began, which changes nothing: whether that may be done is looked at first. */
  async *transactions(publishId: string): AsyncGenerator<Finding, void> {
    const [session] = this.#sessions.values();
    if (session === undefined) return;
    const nobody = { producerId: 0, producerEpoch: 0 };
    try {
      yield transactionFinding(
        publishId,
        await session.send(commitTxnRequest(`${publishId}.doctor`, nobody)),
      );
    } catch (error) {
      if (error instanceof UnsupportedError) yield transactionFinding(publishId, undefined);
      else yield wrong("PUBLISH_ID", `can't be examined: ${messageOf(error)}`, "see the brokers' log");
    }
  }

  /** Whether a broker can be reached, says who it is, takes the account, and answers. */
  async #broker(what: string, address: Address, from: string, topic: string): Promise<readonly Finding[]> {
    const { tls } = this.#settings;
    const { name: servername, ...secure } = tls ?? {};
    const reached = await reach(address, tls && { ...secure, ...(servername && { servername }) });
    if (!reached.ok) {
      const { says, todo } = wordsOf(reached, {
        address: from,
        authorities: "KAFKA_TLS_CA",
        tls: "set KAFKA_TLS=off",
        name: "KAFKA_TLS_NAME",
      });
      return [wrong(what, says, todo)];
    }
    const session = new BrokerConnection(this.#settings, address);
    try {
      const versions = await session.versions();
      const finding = brokerFinding(what, versions, this.#ways);
      if (finding.verdict === "ok") {
        // Before it knows who asks, a broker says its versions and nothing else.
        await session.send(metadataRequest(topic));
        this.#sessions.set(nameOf(address), session);
        return [finding, ...this.#shortcomings(what, shortcomings(versions))];
      }
      session.close();
      return [finding];
    } catch (error) {
      session.close();
      const { says, todo } = sessionWords(messageOf(error), this.#ways);
      return [wrong(what, says, todo)];
    }
  }

  #shortcomings(what: string, lacking: readonly string[]): Finding[] {
    const fresh = lacking.filter((one) => !this.#lacking.has(one));
    for (const one of fresh) this.#lacking.add(one);
    return fresh.map((one) => hint(what, one, "see docs/kafka.md, Which logs"));
  }

  /** What is in the topic, and whether it may be read: asked of the leaders, as the origin does. */
  async #readable(stream: Stream, metadata: TopicMetadata): Promise<readonly Finding[]> {
    const what = `topic ${stream.topic}`;
    const { partitions } = metadata;
    const [topic, topicId] = [stream.topic, ownIdOf(metadata)];
    const led = partitions.filter(({ leader }) => leader >= 0);
    const problems: Finding[] = [];
    const sample = new Sample();
    let offsets = 0;
    for (const [leader, of] of Map.groupBy(led, (one) => one.leader)) {
      const session = this.#sessionOf(leader);
      if (session === undefined) {
        problems.push(
          wrong(
            what,
            `${of.length} of its partitions are led by broker ${leader}, which can't be reached`,
            "mend that first: see above",
          ),
        );
        continue;
      }
      const numbers = of.map(({ partition }) => partition);
      const starts = await session.send(listOffsetsRequest(stream.topic, numbers, EARLIEST));
      const ends = await session.send(listOffsetsRequest(stream.topic, numbers, LATEST));
      const startOf = new Map(starts.map(({ partition, offset }) => [partition, Math.max(0, offset)]));
      for (const { partition, offset } of ends)
        offsets += Math.max(0, offset - (startOf.get(partition) ?? 0));
      const from = numbers.slice(0, SAMPLED).map((partition) => {
        const offset = startOf.get(partition) ?? 0;
        const epochs = { leaderEpoch: UNKNOWN_EPOCH, lastEpoch: UNKNOWN_EPOCH };
        return { topic, topicId, partition, offset, ...epochs };
      });
      const bounds = { waitMs: 0, maxBytes: SAMPLE_BYTES * SAMPLED, partitionMaxBytes: SAMPLE_BYTES };
      const fetched = await session.send(fetchRequest(from, bounds));
      const errors = new Set(fetched.map(({ error }) => error).filter((error) => error !== KAFKA_ERROR.none));
      for (const error of errors)
        problems.push(
          error === KAFKA_ERROR.topicAuthorizationFailed
            ? denied(what)
            : wrong(what, `it can't be read: ${inWords(error)}`, "see the brokers' log"),
        );
      for (const one of fetched) await addTo(sample, one, startOf.get(one.partition) ?? 0);
    }
    return problems.length > 0 ? problems : topicFindings(stream, led.length, offsets, sample);
  }

  async #config(topic: string) {
    const [session] = this.#sessions.values();
    try {
      return await session?.send(topicConfigRequest(topic, KEEPING));
    } catch (error) {
      if (error instanceof UnsupportedError) return undefined;
      throw error;
    }
  }

  #sessionOf(id: number): BrokerConnection | undefined {
    const broker = this.#advertised.find((candidate) => candidate.id === id);
    return broker && this.#sessions.get(nameOf(broker));
  }
}

/** Throws WireError if a record can't be read. */
async function addTo(sample: Sample, fetched: Fetched, start: number): Promise<void> {
  const unpacking = { memory: new Memory(), signal: new AbortController().signal };
  for await (const { records } of partsOf(fetched.records, start, fetched.aborted, unpacking))
    for (const { key, value } of records) {
      if (sample.records >= SAMPLE_RECORDS) return;
      sample.add(key, value);
    }
}

const nameOf = ({ host, port }: Address) => `${host}:${port}`;

/** Settings were checked before they come here. */
function addressOf(text: string): Address {
  const colon = text.lastIndexOf(":");
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
