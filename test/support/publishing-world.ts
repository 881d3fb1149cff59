/** A Kafka of the tests, and what publishes to it as an origin does. */
import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll } from "vitest";
import { KafkaSink, type KafkaSinkOptions } from "../../origin/kafka/sink.ts";
import { KafkaSource } from "../../origin/kafka/source.ts";
import { Marker } from "../../origin/publish/mark.ts";
import { Publisher, type PublisherOptions } from "../../origin/publish/publisher.ts";
import { KafkaBroker, type KafkaOptions } from "./kafka-broker.ts";
import { createTopic } from "./kafka-topics.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export const PUBLISH_SECRET = randomBytes(32);
export const PUBLISH_ID = "test";

/** A broker, behind a proxy where that is wanted, and what publishes to it. */
export function publishingWorld(options: KafkaOptions = {}, brokers = 1) {
  let kafka: KafkaBroker;
  let source: KafkaSource;
  let publishers: Publisher[] = [];
  let proxy: TcpProxy;

  beforeAll(async () => {
    proxy = await TcpProxy.open();
    kafka = await KafkaBroker.start(brokers === 1 ? { ...options, proxies: [proxy.port] } : options);
    proxy.target = kafka.behindProxies[0];
    source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
  });
  afterEach(async () => {
    await Promise.all(publishers.map((publisher) => publisher.close()));
    publishers = [];
  });
  afterAll(async () => {
    await source?.close();
    await kafka?.stop();
    await proxy?.close();
  });

  const direct = () => kafka.brokers[0] ?? "";
  return {
    get kafka() {
      return kafka;
    },
    get proxy() {
      return proxy;
    },
    get source() {
      return source;
    },
    direct,
    open(
      through: "proxy" | "direct" = "direct",
      more: Partial<KafkaSinkOptions> = {},
      options: Partial<PublisherOptions> = {},
    ): Publisher {
      const brokers = through === "proxy" ? [`127.0.0.1:${proxy.port}`] : kafka.brokers;
      const sink = new KafkaSink({ brokers, clientId: "test" }, { publishId: PUBLISH_ID, ...more });
      const publisher = new Publisher({ sink, marker: new Marker([PUBLISH_SECRET]), ...options });
      publishers.push(publisher);
      return publisher;
    },
    async newTopic(partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
      const topic = `published-${randomUUID()}`;
      const admin = kafka.client().admin();
      await admin.connect();
      await createTopic(admin, topic, partitions, configs);
      await admin.disconnect();
      return topic;
    },
  };
}
