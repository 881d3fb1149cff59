/** What reading costs at most, however many partitions there are and however slowly they are handled. */
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Admin, Kafka } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
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
  });
  afterAll(async () => {
    await admin?.disconnect();
    await kafka?.stop();
  });

  /** 50 partitions with as many records of this size in each, or more, and each in a batch of its own. */
  async function newTopic(count: number, bytes: number): Promise<string> {
    const topic = `bounds-${randomUUID()}`;
    await createTopic(admin, topic, 50);
    const producer = client.producer();
    await producer.connect();
    const value = Buffer.alloc(bytes, "x");
    for (const _ of range(0, count))
      for (const start of range(0, 5)) {
        const messages = range(10 * start, 10 * start + 10).map((partition) => ({ partition, value }));
        await producer.send({ topic, messages });
      }
    await producer.disconnect();
    return topic;
  }

  async function readAll(source: KafkaSource, topic: string, onBatch?: () => Promise<void>) {
    const infos = await partitionsOf(source, topic);
    expect(infos).toHaveLength(50);
    return infos.map(({ partition, epoch, endOffset }) => {
      const reading = new Reading(source, { topic, partition, epoch, from: 0 }, onBatch);
      return { reading, whole: () => reading.reaches(endOffset) };
    });
  }

  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const stop = (reads: readonly { readonly reading: Reading }[]) =>
    Promise.all(reads.map(({ reading }) => reading.stop()));

  test("a hundred reads take three connections, and leave none behind", { timeout: 120_000 }, async () => {
    const topic = await newTopic(5, 100);
    const before = sockets();
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });

    const reads = [...(await readAll(source, topic)), ...(await readAll(source, topic))];
    await Promise.all(reads.map(({ whole }) => whole()));
    const most = sockets() - before;
    await stop(reads.slice(50));
    const others = await readAll(source, topic);
    await Promise.all(others.map(({ whole }) => whole()));
    await stop(others);

    expect(most).toBeLessThanOrEqual(3);
    expect(sockets() - before).toBeLessThanOrEqual(3);
    await stop(reads.slice(0, 50));
    await source.close();
    await eventually(() => sockets() <= before, "all connections are closed");
  });

  test("reads whose batches nobody takes hold two answers each at most, and what two requests may have", {
    timeout: 120_000,
  }, async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    // 200 MiB in all.
    const topic = await newTopic(8, MIB / 2 - 1_000);
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    const held = () => {
      collect();
      return process.memoryUsage().arrayBuffers / MIB;
    };
    const before = held();
    const { promise: never, resolve: release } = Promise.withResolvers<void>();

    const reads = await readAll(source, topic, () => never);
    await Promise.all(
      reads.map(({ reading }) => reading.until(({ batches }) => batches.length === 1, "a batch")),
    );
    let last = Number.NaN;
    await eventually(async () => {
      const growth = Math.abs(held() - last);
      last = held();
      await setTimeout(300);
      // Less than this, and there would be nothing to bound: it has been slow.
      return growth < 1 && last - before > 25;
    }, "nothing more is fetched");

    expect(last - before).toBeLessThan(50 * 2 + 2 * 8);
    release();
    await Promise.all(reads.map(({ whole }) => whole()));
    await stop(reads);
    await source.close();
  });
});
