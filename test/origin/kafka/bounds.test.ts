/** What reading costs at most, however many partitions there are and however slowly they are handled. */
import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Admin, Kafka } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { Reading } from "../../support/reading.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

const MIB = 1024 * 1024;

describeWithKafka("of 50 partitions on one broker,", () => {
  let kafka: KafkaBroker;
  let client: Kafka;
  let admin: Admin;

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    client = kafka.client();
    admin = client.admin();
    await admin.connect();
  }, 90_000);
  afterAll(async () => {
    await admin?.disconnect();
    await kafka?.stop();
  });

  /** 50 partitions with as many records of this size in each. */
  async function newTopic(count: number, bytes: number): Promise<string> {
    const topic = `bounds-${randomUUID()}`;
    await createTopic(admin, topic, 50);
    const producer = client.producer();
    await producer.connect();
    const value = Buffer.alloc(bytes, "x");
    for (const start of range(0, 10))
      await producer.sendBatch({
        topicMessages: range(5 * start, 5 * start + 5).map((partition) => ({
          topic,
          messages: range(0, count).map(() => ({ partition, value })),
        })),
      });
    await producer.disconnect();
    return topic;
  }

  async function readAll(source: KafkaSource, topic: string, onBatch?: () => Promise<void>) {
    const infos = (await source.describe(topic)) ?? [];
    return infos.map(
      ({ partition, epoch }) => new Reading(source, { topic, partition, epoch, from: 0 }, onBatch),
    );
  }

  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const stop = (readings: readonly Reading[]) => {
    for (const reading of readings) reading.abort();
    return Promise.allSettled(readings.map(({ ended }) => ended));
  };

  test("a hundred reads take three connections, and leave none behind", { timeout: 30_000 }, async () => {
    const topic = await newTopic(5, 100);
    const before = sockets();
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });

    const readings = [...(await readAll(source, topic)), ...(await readAll(source, topic))];
    await Promise.all(readings.map((reading) => reading.reaches(5)));
    const most = sockets() - before;
    await stop(readings.slice(50));
    await Promise.all(
      (await readAll(source, topic)).map((reading) => reading.reaches(5).then(() => reading.stop())),
    );

    expect(readings).toHaveLength(100);
    expect(most).toBeLessThanOrEqual(3);
    expect(sockets() - before).toBeLessThanOrEqual(3);
    await stop(readings);
    await source.close();
    await eventually(() => sockets() <= before, "all connections are closed");
  });

  test("reads whose batches nobody takes hold two answers each at most, and one request's", {
    timeout: 60_000,
  }, async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    // 200 MiB in all.
    const topic = await newTopic(8, MIB / 2 - 1_000);
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    const held = () => {
      collect();
      return process.memoryUsage().arrayBuffers;
    };
    const before = held();
    const { promise: never, resolve: release } = Promise.withResolvers<void>();

    const readings = await readAll(source, topic, () => never);
    await Promise.all(readings.map((one) => one.until(({ batches }) => batches.length === 1, "a batch")));
    let last = -1;
    await eventually(async () => {
      const now = held();
      const settled = now === last;
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return settled;
    }, "nothing more is fetched");

    expect((last - before) / MIB).toBeGreaterThan(50);
    expect((last - before) / MIB).toBeLessThan(50 * 2 + 2 * 8);
    release();
    await Promise.all(readings.map((reading) => reading.reaches(8)));
    await stop(readings);
    await source.close();
  });
});
