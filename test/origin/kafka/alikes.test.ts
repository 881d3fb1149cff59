/** What speaks Kafka's protocol in other versions: Kafka itself, behind a proxy that has no others. */
import { randomUUID } from "node:crypto";
import type { Admin } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { CappedProxy, type Caps } from "../../support/capped-proxy.ts";
import { numbered } from "../../support/contract-records.ts";
import { EVENT_HUBS, REDPANDA } from "../../support/kafka-alikes.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { createTopic, deleteTopic, trim } from "../../support/kafka-topics.ts";
import { ifLong } from "../../support/long.ts";
import { partitionsOf } from "../../support/reading.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";
import { holdsUnfenced } from "../../support/unfenced.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

const ALIKES: readonly (readonly [name: string, caps: Caps])[] = [
  ["Event Hubs", EVENT_HUBS],
  ...ifLong<readonly [string, Caps]>(["Redpanda", REDPANDA]),
];

describeWithKafka("what speaks Kafka's protocol:", () => {
  let kafka: KafkaBroker;
  let proxy: CappedProxy;
  let producers: JavaProducers;
  let admin: Admin;

  beforeAll(async () => {
    proxy = await CappedProxy.open();
    kafka = await KafkaBroker.start({ proxies: [proxy.port] });
    proxy.target = kafka.behindProxies[0];
    producers = new JavaProducers(kafka);
    admin = kafka.client().admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await producers?.stop();
    await kafka?.stop();
    await proxy?.close();
  });

  const newSource = () => new KafkaSource({ brokers: [`127.0.0.1:${proxy.port}`], clientId: "test" });

  async function setup(): Promise<ContractLog> {
    const producer = await producers.open();
    const source = newSource();
    return {
      source,
      largestValueBytes: 3 * 1024 * 1024,
      tellsTopicsApart: false,
      createTopic: (topic, partitions) => createTopic(admin, topic, partitions),
      deleteTopic: (topic) => deleteTopic(admin, topic),
      produce: (topic, records) => producer.send(topic, records),
      trim: (topic, partition, offset) => trim(kafka, topic, partition, offset),
      close: () => source.close(),
    };
  }

  describe.each(ALIKES)("with the versions of %s,", (name, caps) => {
    beforeAll(() => {
      proxy.caps = caps;
      proxy.strangers.length = 0;
    });

    describeSourceContract(name, setup, { runs: 5 });

    test("nothing else is asked for; topics of other names have other epochs, and all who read know these alike", async () => {
      const topics = [`one-${randomUUID()}`, `two-${randomUUID()}`];
      for (const topic of topics) await createTopic(admin, topic, 2);
      const epochsOf = async (source: KafkaSource) => {
        const all = [];
        for (const topic of topics) all.push(...(await partitionsOf(source, topic)));
        await source.close();
        return all.map(({ epoch }) => epoch);
      };

      const epochs = await epochsOf(newSource());

      expect(await epochsOf(newSource())).toEqual(epochs);
      expect(new Set(epochs).size).toBe(4);
      expect(proxy.strangers).toEqual([]);
    });

    test("what is published is acknowledged where it is, a key of a client's own is refused, and what is missing is named", async () => {
      const topic = `published-${randomUUID()}`;
      await createTopic(admin, topic, 1);

      await holdsUnfenced([`127.0.0.1:${proxy.port}`], topic, "the broker has no DescribeTransactions");

      expect(proxy.strangers).toEqual([]);
    });

    test("of a topic that is created again, the epochs stay, and what was read beyond its end is out of range", async () => {
      const topic = `again-${randomUUID()}`;
      const log = await setup();
      await log.createTopic(topic, 1);
      await log.produce(topic, numbered(0, 5));
      const [before] = await partitionsOf(log.source, topic);

      await log.deleteTopic(topic);
      await log.createTopic(topic, 1);
      await log.produce(topic, numbered(0, 3));

      const [after] = await partitionsOf(log.source, topic);
      expect(after).toMatchObject({ epoch: before?.epoch, startOffset: 0, endOffset: 3 });
      const read = log.source.read(
        { topic, partition: 0, epoch: before?.epoch ?? "", from: 5, signal: AbortSignal.timeout(30_000) },
        () => {},
      );
      await expect(read).rejects.toMatchObject({ code: "offset_out_of_range" });
      await log.close();
    });
  });
});
