/**
 * Kafka of old, with ZooKeeper: the oldest that runs on today's Java, with records of formats that 4.0 has dropped. `npm run
 * test:long` has those between, and one whose topics have no ids though it has them.
 */
import { randomUUID } from "node:crypto";
import { type Admin, CompressionTypes, type Kafka } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { range, recordOf } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { type KafkaVersion, OLD_VERSION, OLDEST_VERSION } from "../../support/kafka-classpath.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { createTopic, deleteTopic, trim } from "../../support/kafka-topics.ts";
import { ifLong } from "../../support/long.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { recordsIn, valuesOf } from "../../support/sink-contract.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";
import { holdsUnfenced, publishedUnfenced } from "../../support/unfenced.ts";
import { describeWithKafkaOf } from "../../support/with-kafka.ts";

interface Old {
  readonly version: KafkaVersion;
  /** As of which version it speaks to other brokers, and keeps its metadata. */
  readonly as: string;
  /** Whether topics have ids of their own. */
  readonly ids: boolean;
  /** Whether it can't be asked which transactions there are. */
  readonly unfenced?: true;
}

const OLD: readonly Old[] = [
  { version: "2.1.1", as: "2.1", ids: false, unfenced: true },
  ...ifLong<Old>(
    { version: "2.8.2", as: "2.8", ids: true, unfenced: true },
    { version: "3.0.2", as: "2.8", ids: true },
    { version: OLDEST_VERSION, as: "2.8", ids: true },
    { version: OLD_VERSION, as: "2.8", ids: true },
    { version: OLD_VERSION, as: "2.7", ids: false },
  ),
];

for (const old of OLD)
  await describeWithKafkaOf(old.version, `Kafka ${old.version} as of ${old.as}:`, () => reads(old));

function reads({ version, as, ids, unfenced }: Old): void {
  let kafka: KafkaBroker;
  let client: Kafka;
  let producers: JavaProducers;
  let admin: Admin;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({ old: version, config: { "inter.broker.protocol.version": as } });
    client = kafka.client();
    producers = new JavaProducers(kafka);
    admin = client.admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await producers?.stop();
    await kafka?.stop();
  });

  const newSource = () => new KafkaSource({ brokers: kafka.brokers, clientId: "test" });

  async function setup(): Promise<ContractLog> {
    const producer = await producers.open();
    const source = newSource();
    return {
      source,
      largestValueBytes: 3 * 1024 * 1024,
      ...(!ids && { tellsTopicsApart: false }),
      createTopic: (topic, partitions) => createTopic(admin, topic, partitions, {}, 1),
      deleteTopic: (topic) => deleteTopic(admin, topic),
      produce: (topic, records) => producer.send(topic, records),
      hold: async (topic) => {
        const open = await producers.open({ "transactional.id": randomUUID() });
        await open.begin();
        await open.send(topic, [recordOf(0, "within")]);
        return () => open.commit();
      },
      trim: (topic, partition, offset) => trim(kafka, topic, partition, offset),
      close: () => source.close(),
    };
  }

  describeSourceContract(`Kafka ${version}`, setup, { runs: 5 });

  test.runIf(unfenced)("what is published there is promised less, which is said", async () => {
    const topic = `published-${randomUUID()}`;
    await createTopic(admin, topic, 1, {}, 1);

    await holdsUnfenced(kafka.brokers, topic, "the broker has no DescribeTransactions");
  });

  test.runIf(unfenced)(
    "a stranger's open transaction holds up no publish there, and no record is lost",
    async () => {
      const topic = `beside-${randomUUID()}`;
      await createTopic(admin, topic, 1, {}, 1);
      const open = await producers.open({ "transactional.id": randomUUID() });
      await open.begin();
      await open.send(topic, [recordOf(0, "a stranger's")]);

      const offsets = await publishedUnfenced(kafka.brokers, topic, ["one", "two"]);
      await open.commit();

      expect(offsets).toEqual([1, 2]);
      const source = newSource();
      // A commit is answered before its mark is written.
      const records = await eventually(async () => {
        const found = await recordsIn(source, topic);
        return found.length > 0 && found;
      }, "the transaction is over");
      expect(valuesOf(records)).toEqual(["a stranger's", "one", "two"]);
      await source.close();
    },
  );

  const CREATED = 1_600_000_000_000;
  test.each([
    ["0, which has no times", "0.9.0", "CreateTime", (_: number) => undefined],
    ["1", "0.10.2", "CreateTime", (i: number) => CREATED + i],
    [
      "1 with the log's own times",
      "0.10.2",
      "LogAppendTime",
      () => expect.toSatisfy((at) => at > CREATED * 1.05),
    ],
  ])(
    "records of format %s come out as they were written, compressed or not, from any offset",
    async (_, format, times, timeOf) => {
      const topic = `old-${randomUUID()}`;
      const formats = { "message.format.version": format, "message.timestamp.type": times };
      await createTopic(admin, topic, 1, formats, 1);
      const producer = client.producer();
      await producer.connect();
      const messages = range(0, 40).map((i) => ({
        key: i % 3 === 0 ? null : `key ${i}`,
        value: i % 7 === 0 ? null : `value ${i} `.repeat(10),
        timestamp: String(CREATED + i),
      }));
      for (const [i, compression] of [
        CompressionTypes.None,
        CompressionTypes.GZIP,
        CompressionTypes.None,
        CompressionTypes.GZIP,
      ].entries())
        await producer.send({ topic, compression, messages: messages.slice(10 * i, 10 * i + 10) });
      await producer.disconnect();
      const source = newSource();
      const [info] = await partitionsOf(source, topic);

      for (const from of range(0, 40)) {
        const reading = new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from });
        await reading.reaches(40);
        await reading.stop();
        const read = reading.records.map(({ offset, timestamp, key, value }) => ({
          offset,
          timestamp,
          key: key && String(key),
          value: value && String(value),
        }));
        expect(read).toEqual(
          messages
            .slice(from)
            .map(({ key, value }, i) => ({ offset: from + i, timestamp: timeOf(from + i), key, value })),
        );
      }
      await source.close();
    },
  );
}
