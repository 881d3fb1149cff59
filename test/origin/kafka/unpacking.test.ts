/** What reading takes where batches are small as they come, and large unpacked: one after the other, and all at once. */
import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type Admin, CompressionCodecs, CompressionTypes, type Kafka } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UNPACK_BYTES } from "../../../origin/kafka/memory.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import type { Batch } from "../../../origin/source/source.ts";
import { content, range, recordOf } from "../../support/contract-records.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { type OnBatch, partitionsOf, Reading } from "../../support/reading.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

const MIB = 1024 * 1024;
const PARTITIONS = 24;
/** Of each partition's only batch. */
const RECORDS = 120;
const RECORD_BYTES = Math.floor(MIB / 10);

describeWithKafka("batches that are large unpacked", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let client: Kafka;
  let admin: Admin;

  beforeAll(async () => {
    CompressionCodecs[CompressionTypes.ZSTD] = () => ({
      compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
      decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
    });
    kafka = await KafkaBroker.start();
    producers = new JavaProducers(kafka);
    client = kafka.client();
    admin = client.admin();
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.disconnect();
    await producers?.stop();
    await kafka?.stop();
  });

  /** Half of the partitions have gzip, half zstd: 12 MiB each. */
  async function newTopic(): Promise<string> {
    const topic = `unpacking-${randomUUID()}`;
    await createTopic(admin, topic, PARTITIONS);
    const producer = client.producer();
    await producer.connect();
    const value = Buffer.alloc(RECORD_BYTES, "x");
    for (const partition of range(0, PARTITIONS)) {
      const messages = range(0, RECORDS).map(() => ({ partition, value }));
      const compression = partition % 2 === 0 ? CompressionTypes.GZIP : CompressionTypes.ZSTD;
      await producer.send({ topic, messages, compression });
    }
    await producer.disconnect();
    return topic;
  }

  async function readAll(source: KafkaSource, topic: string, onBatch: OnBatch): Promise<Reading[]> {
    const infos = await partitionsOf(source, topic);
    expect(infos.map(({ endOffset }) => endOffset)).toEqual(new Array(PARTITIONS).fill(RECORDS));
    return infos.map(
      ({ partition, epoch }) => new Reading(source, { topic, partition, epoch, from: 0 }, onBatch),
    );
  }

  test("take no more memory than they share, though every partition has one at once and nobody takes what was read", {
    timeout: 120_000,
  }, async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const topic = await newTopic();
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    const held = () => {
      collect();
      return process.memoryUsage().external;
    };
    const before = held();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();

    const reads = await readAll(source, topic, () => taken);
    await Promise.all(reads.map((read) => read.until(({ batches }) => batches.length === 1, "a part")));
    const most = held() - before;
    take();
    await Promise.all(reads.map((read) => read.reaches(RECORDS)));

    // A part each besides, which is whoever's it was handed to.
    expect(most).toBeLessThan(UNPACK_BYTES + PARTITIONS * 2 * MIB);
    expect(reads.map(({ offsets }) => offsets)).toEqual(new Array(PARTITIONS).fill(range(0, RECORDS)));
    await Promise.all(reads.map((read) => read.stop()));
    await source.close();
  });

  test("leave the event loop to others between their parts, though every partition has one at once", {
    timeout: 120_000,
  }, async () => {
    const topic = await newTopic();
    const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    let turn = 0;
    let goesOn = true;
    const count = () => {
      turn++;
      if (goesOn) setImmediate(count);
    };
    const bytesIn = new Map<number, number>();
    const counted = ({ records }: Batch) => {
      const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      bytesIn.set(turn, (bytesIn.get(turn) ?? 0) + bytes);
    };
    count();

    const reads = await readAll(source, topic, counted);
    await Promise.all(reads.map((read) => read.reaches(RECORDS)));
    goesOn = false;

    // All are 288 MiB, and the first batches came with one answer.
    expect(Math.max(...bytesIn.values())).toBeLessThanOrEqual(UNPACK_BYTES);
    expect(bytesIn.size).toBeGreaterThan(PARTITIONS);
    await Promise.all(reads.map((read) => read.stop()));
    await source.close();
  });

  test.each(["gzip", "snappy", "lz4", "zstd"])(
    "of Java's producers, compressed with %s, come out byte for byte",
    { timeout: 60_000 },
    async (codec) => {
      const topic = `unpacking-${randomUUID()}`;
      await createTopic(admin, topic, 1);
      const producer = await producers.open({
        "compression.type": codec,
        "batch.size": 8 * MIB,
        "max.request.size": 16 * MIB,
        "linger.ms": 1_000,
      });
      const produced = [
        ...range(0, 2_000).map((i) => recordOf(0, `{"n":${i}}`)),
        ...range(0, 40).map((i) => recordOf(0, `${i}-`.repeat(30_000))),
        recordOf(0, "a".repeat(2 * MIB)),
      ];

      await producer.send(topic, produced);
      const source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
      const [info] = await partitionsOf(source, topic);
      const reading = new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from: 0 });
      await reading.reaches(produced.length);

      expect(reading.records.map(content)).toEqual(produced.map(content));
      await reading.stop();
      await source.close();
    },
  );
});
