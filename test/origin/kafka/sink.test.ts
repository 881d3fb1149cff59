import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { KafkaBroker, type KafkaOptions } from "../../support/kafka-broker.ts";
import { type KafkaVersion, OLD_VERSION, OLDEST_VERSION } from "../../support/kafka-classpath.ts";
import { createTopic, deleteTopic } from "../../support/kafka-topics.ts";
import { ifLong } from "../../support/long.ts";
import { type ContractSink, describeSinkContract } from "../../support/sink-contract.ts";
import { describeWithKafka, describeWithKafkaOf } from "../../support/with-kafka.ts";

const BOUNDS = { "message.max.bytes": 1024 * 1024 };

describeWithKafka("a real Kafka:", () => holds("Kafka", { config: BOUNDS }));
const OLD: readonly KafkaVersion[] = [OLDEST_VERSION, ...ifLong<KafkaVersion>(OLD_VERSION, "3.0.2")];
for (const old of OLD)
  await describeWithKafkaOf(old, `a real Kafka of old, ${old}:`, () =>
    holds(`Kafka ${old}`, {
      old,
      config: { ...BOUNDS, "inter.broker.protocol.version": old.split(".", 2).join(".") },
    }),
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
