import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../../support/kafka-topics.ts";
import { type ContractSink, describeSinkContract } from "../../support/sink-contract.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

describeWithKafka("a real Kafka:", () => {
  let kafka: KafkaBroker;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({ config: { "message.max.bytes": 1024 * 1024 } });
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

  describeSinkContract("Kafka", setup);
});
