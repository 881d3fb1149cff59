import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { KafkaBroker, type KafkaOptions } from "../../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../../support/kafka-topics.ts";
import { type ContractSink, describeSinkContract } from "../../support/sink-contract.ts";
import { describeWithKafka, describeWithOldestKafka } from "../../support/with-kafka.ts";

const BOUNDS = { "message.max.bytes": 1024 * 1024 };

describeWithKafka("a real Kafka:", () => holds("Kafka", { config: BOUNDS }));
await describeWithOldestKafka("a real Kafka of old:", () =>
  holds("Kafka 3.1", { old: "oldest", config: { ...BOUNDS, "inter.broker.protocol.version": "3.1" } }),
);

function holds(name: string, options: KafkaOptions): void {
  let kafka: KafkaBroker;

  beforeAll(async () => {
    kafka = await KafkaBroker.start(options);
  });
  afterAll(() => kafka?.stop());

  async function setup(): Promise<ContractSink> {
    const admin = kafka.client().admin();
    await admin.connect();
    const settings = { brokers: kafka.brokers, clientId: `test-${randomUUID()}` };
    const source = new KafkaSource(settings);
    const sinks: KafkaSink[] = [];
    return {
      open: () => {
        const sink = new KafkaSink(settings, { publishId: "test" });
        sinks.push(sink);
        return sink;
      },
      source,
      tooLargeBytes: 2 * 1024 * 1024,
      createTopic: (topic, partitions) => createTopic(admin, topic, partitions),
      deleteTopic: (topic) => deleteTopic(admin, topic),
      close: async () => {
        await Promise.all(sinks.map((sink) => sink.close()));
        await source.close();
        await admin.disconnect();
      },
    };
  }

  describeSinkContract(name, setup);
}
