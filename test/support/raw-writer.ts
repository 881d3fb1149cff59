/** Kafka's own answers to the requests of a writer, one by one: what the product's writer builds on. */

import { batches, isMark } from "../../origin/kafka/batch-headers.ts";
import { BrokerConnection } from "../../origin/kafka/connection.ts";
import { fetchRequest } from "../../origin/kafka/fetch-request.ts";
import type { Address } from "../../origin/kafka/kafkajs.ts";
import {
  addPartitionToTxnRequest,
  commitTxnRequest,
  findCoordinatorRequest,
  initProducerIdRequest,
  type ProducedAnswer,
  type ProducerIdentity,
  produceRequest,
  WRITE_ERROR,
} from "../../origin/kafka/produce-requests.ts";
import { type Numbered, producedBatch } from "../../origin/kafka/produced-batch.ts";
import { recordsOf } from "../../origin/kafka/record-batches.ts";
import { metadataRequest, type TopicMetadata } from "../../origin/kafka/requests.ts";
import { eventually } from "./deadline.ts";

const TRANSACTION_MS = 60_000;
const MAX_BYTES = 8 * 1024 * 1024;
const PASSING: readonly number[] = [
  WRITE_ERROR.coordinatorLoading,
  WRITE_ERROR.coordinatorNotAvailable,
  WRITE_ERROR.notCoordinator,
  WRITE_ERROR.concurrentTransactions,
  WRITE_ERROR.unknownTopicOrPartition,
];

/** A single broker's client. */
export class RawWriter {
  readonly #connection: BrokerConnection;
  readonly topic: string;

  constructor(broker: string, topic: string) {
    const [host = "", port] = broker.split(":");
    const address: Address = { host, port: Number(port) };
    this.#connection = new BrokerConnection({ brokers: [broker], clientId: "raw" }, address);
    this.topic = topic;
  }

  /** Takes the transactional id over, without a word to the partition. */
  async init(id: string): Promise<ProducerIdentity> {
    await this.#passing(
      "a coordinator",
      async () => (await this.#connection.send(findCoordinatorRequest(id))).error,
    );
    let found: ProducerIdentity | undefined;
    await this.#passing("an identity", async () => {
      const answer = await this.#connection.send(initProducerIdRequest(id, TRANSACTION_MS));
      found = answer;
      return answer.error;
    });
    if (found === undefined) throw new Error("no identity");
    return { producerId: found.producerId, producerEpoch: found.producerEpoch };
  }

  /** One empty committed transaction over a partition; resolves once its mark is read. */
  async mark(id: string, identity: ProducerIdentity, partition = 0): Promise<void> {
    const before = (await this.marks(partition)).length;
    await this.#passing("the partition is added", () =>
      this.#connection.send(addPartitionToTxnRequest(id, identity, this.topic, partition)),
    );
    await this.#passing("the commit", () => this.#connection.send(commitTxnRequest(id, identity)));
    await eventually(async () => {
      const marks = await this.marks(partition);
      const own = marks
        .slice(before)
        .some(
          ({ producerId, producerEpoch }) =>
            producerId === identity.producerId && producerEpoch === identity.producerEpoch,
        );
      return own;
    }, "the mark is read");
  }

  async fence(id: string, partition = 0): Promise<ProducerIdentity> {
    const identity = await this.init(id);
    await this.mark(id, identity, partition);
    return identity;
  }

  async produce(numbered: Numbered, values: readonly string[], partition = 0): Promise<ProducedAnswer> {
    const records = values.map((value) => ({
      key: Buffer.from("k"),
      value: Buffer.from(value),
      headers: [],
    }));
    const batch = producedBatch(records, numbered, Date.now());
    const waits = { timeoutMs: 5_000, silenceMs: 20_000 };
    const { id } = await this.#described();
    return this.#connection.send(produceRequest({ topic: this.topic, topicId: id, partition }, batch, waits));
  }

  async topicId(): Promise<Buffer> {
    return (await this.#described()).id;
  }

  async marks(partition = 0): Promise<readonly ProducerIdentity[]> {
    const answer = await this.#read(partition);
    return [...batches(answer)].filter(isMark);
  }

  /** The values of all records, with their offsets. */
  async values(partition = 0): Promise<readonly (readonly [offset: number, value: string])[]> {
    const answer = await this.#read(partition);
    return [...batches(answer)]
      .filter((batch) => !isMark(batch))
      .flatMap((batch) => [...recordsOf(batch, answer, MAX_BYTES)])
      .map(({ offset, value }) => [offset, String(value === null ? null : Buffer.from(value))] as const);
  }

  close(): void {
    this.#connection.close();
  }

  async #described(): Promise<TopicMetadata> {
    const { topics } = await this.#connection.send(metadataRequest(this.topic));
    const [found] = topics;
    if (found === undefined || found.error !== 0) throw new Error(`Kafka's error ${found?.error}`);
    return found;
  }

  async #read(partition: number): Promise<Buffer> {
    const { id, partitions } = await this.#described();
    const leaderEpoch = partitions[partition]?.leaderEpoch ?? -1;
    const from = { topic: this.topic, topicId: id, partition, offset: 0, leaderEpoch, lastEpoch: -1 };
    const bounds = {
      waitMs: 0,
      maxBytes: MAX_BYTES,
      partitionMaxBytes: MAX_BYTES,
      uncommitted: true,
    } as const;
    const [fetched] = await this.#connection.send(fetchRequest([from], bounds));
    if (fetched === undefined || fetched.error !== 0) throw new Error(`Kafka's error ${fetched?.error}`);
    return fetched.records;
  }

  async #passing(what: string, act: () => Promise<number>): Promise<void> {
    await eventually(async () => {
      const error = await act();
      if (error === 0) return true;
      if (!PASSING.includes(error)) throw new Error(`Kafka's error ${error}`);
      return false;
    }, what);
  }
}
