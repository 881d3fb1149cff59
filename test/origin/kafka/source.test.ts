import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { createTopic, deleteTopic, KafkaBroker, trim } from "../../support/kafka-broker.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

describeWithKafka("a real Kafka:", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    producers = new JavaProducers(kafka);
  }, 90_000);
  afterAll(async () => {
    await producers?.stop();
    await kafka?.stop();
  });

  async function setup(): Promise<ContractLog> {
    const admin = kafka.client().admin();
    await admin.connect();
    const producer = await producers.open();
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: `test-${randomUUID()}` });
    return {
      source,
      largestValueBytes: 3 * 1024 * 1024,
      createTopic: (topic, partitions) => createTopic(admin, topic, partitions),
      deleteTopic: (topic) => deleteTopic(admin, topic),
      produce: (topic, records) => producer.send(topic, records),
      trim: (topic, partition, offset) => trim(kafka, topic, partition, offset),
      close: async () => {
        await source.close();
        await admin.disconnect();
      },
    };
  }

  describeSourceContract("Kafka", setup, { runs: 15 });
});
