/** However many clients there are, Kafka sees one of them: the origin. */
import type { Admin } from "kafkajs";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { range, recordOf, text } from "../support/contract-records.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../support/kafka-producer.ts";
import { createTopic } from "../support/kafka-topics.ts";
import { connectionsTo } from "../support/sockets.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const KEYS = range(0, 100).map((i) => `order-${i}`);
const SUBSCRIBERS = 300;
const GETS = 300;
const PARTITIONS = 6;
/** Two that fetch, of which the second is opened when records make it necessary, and one for all else. */
const PER_BROKER = 3;

describeWithKafka("connections to Kafka:", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let producer: JavaProducer;
  let admin: Admin;

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    producers = new JavaProducers(kafka);
    producer = await producers.open();
    admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, "orders", PARTITIONS);
  });
  afterAll(async () => {
    await admin?.disconnect();
    await producers?.stop();
    await kafka?.stop();
  });

  test(`${SUBSCRIBERS} subscribers of ${KEYS.length} keys and ${GETS} GETs add none`, async () => {
    const deployment = await Deployment.start({
      topics: { orders: {} },
      originEnv: { KAFKA_BROKERS: kafka.bootstrap },
    });
    onTestFinished(() => deployment.stop());
    const port = Number(kafka.brokers[0]?.split(":")[1]);
    const processes = [deployment.origin, deployment.edge].map((child) => child?.process.pid ?? 0);
    const connections = () => processes.map((pid) => connectionsTo(pid, port));
    const write = (value: string) =>
      producer.send(
        "orders",
        KEYS.map((key, i) => recordOf(i % PARTITIONS, value, { key: text(key) })),
      );
    const get = async (i: number) =>
      (await fetch(`${deployment.url}/orders/${KEYS[i % KEYS.length]}`)).text();
    await write("1");
    await eventually(async () => (await get(0)) === "1", "what was written");
    const before = connections();

    const subscribers = range(0, SUBSCRIBERS).map((i) =>
      deployment.subscribe(`/orders/${KEYS[i % KEYS.length]}`),
    );
    onTestFinished(() => {
      for (const subscriber of subscribers) subscriber.cut();
    });
    await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
    const gets = await Promise.all(range(0, GETS).map(get));
    const during = connections();
    await write("2");
    await Promise.all(
      subscribers.map((subscriber) =>
        subscriber.until(({ updates }) => String(updates.at(-1)?.value) === "2", "what was written"),
      ),
    );

    expect(gets.filter((value) => value !== "1")).toEqual([]);
    expect(during).toEqual(before);
    expect(before[1]).toBe(0);
    expect(connections()[0]).toBeLessThanOrEqual(PER_BROKER);
    console.info(
      `connections of origin and edge to the broker: ${before}, with ${SUBSCRIBERS} subscribers: ${during}`,
    );
  }, 60_000);
});
