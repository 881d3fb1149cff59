import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { content, numbered, range, recordOf, values } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../../support/kafka-producer.ts";
import { createTopic, deleteTopic, trim } from "../../support/kafka-topics.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { type ContractLog, describeSourceContract } from "../../support/source-contract.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

describeWithKafka("a real Kafka:", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({ config: { "log.cleaner.backoff.ms": 100 } });
    producers = new JavaProducers(kafka);
  });
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
      hold: async (topic) => {
        const open = await producers.open({ "transactional.id": randomUUID() });
        await open.begin();
        await open.send(topic, [recordOf(0, "within")]);
        return () => open.commit();
      },
      trim: (topic, partition, offset) => trim(kafka, topic, partition, offset),
      close: async () => {
        await source.close();
        await admin.disconnect();
      },
    };
  }

  describeSourceContract("Kafka", setup, { runs: 15 });

  describe("what Kafka's own producers write", { timeout: 60_000 }, () => {
    let admin: Admin;
    let source: KafkaSource;
    let readings: Reading[] = [];

    beforeAll(async () => {
      admin = kafka.client().admin();
      await admin.connect();
      source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    });
    afterEach(async () => {
      for (const reading of readings) reading.abort();
      await Promise.allSettled(readings.map(({ ended }) => ended));
      readings = [];
    });
    afterAll(async () => {
      await source.close();
      await admin.disconnect();
    });

    async function newTopic(configs: Readonly<Record<string, string>> = {}): Promise<string> {
      const topic = `producers-${randomUUID()}`;
      await createTopic(admin, topic, 1, configs);
      return topic;
    }

    async function read(topic: string, from = 0): Promise<Reading> {
      const [info] = await partitionsOf(source, topic);
      const reading = new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from });
      readings.push(reading);
      return reading;
    }

    const transactional = () => producers.open({ "transactional.id": randomUUID() });
    const endOf = async (topic: string) => (await partitionsOf(source, topic))[0]?.endOffset ?? Number.NaN;

    /**
     * Of a topic to which nobody writes any more. A producer has its word that a transaction ended before the log has the
     * mark of that: until then the log's end is further on than what may be read.
     */
    const lastEndOf = (topic: string) =>
      eventually(async () => {
        const [last] = await admin.fetchTopicOffsets(topic);
        return last !== undefined && (await endOf(topic)) === Number(last.high) && Number(last.high);
      }, "the log has the mark of every transaction");

    test.each(["none", "gzip", "snappy", "lz4", "zstd"])(
      "batches compressed with %s come out byte for byte",
      async (codec) => {
        const config = { "compression.type": codec, "batch.size": 1_000_000, "linger.ms": 200 };
        const producer = await producers.open(config);
        const topic = await newTopic();
        const noise = Uint8Array.from({ length: 150_000 }, (_, i) => (i * i * 31 + (i >> 3)) % 251);
        const produced = [
          ...range(0, 2_000).map((i) => recordOf(0, `{"symbol":"S${i % 50}","bid":${i / 7}}`)),
          recordOf(0, "a".repeat(300_000)),
          recordOf(0, "", { value: noise, headers: [["codec", noise.subarray(0, 100)]] }),
          recordOf(0, "last"),
        ];

        await producer.send(topic, produced);

        const reading = await read(topic);
        await reading.reaches(produced.length);
        expect(reading.records.map(content)).toEqual(produced.map(content));
      },
    );

    test("of an open transaction nothing is read, nor of what follows it, until it ends", async () => {
      const topic = await newTopic();
      const [open, plain] = [await transactional(), await producers.open()];
      await plain.send(topic, [recordOf(0, "before")]);
      const reading = await read(topic);

      await open.begin();
      await open.send(topic, [recordOf(0, "within")]);
      await plain.send(topic, [recordOf(0, "after")]);
      await reading.reaches(1);
      expect(await endOf(topic)).toBe(1);
      expect(new Set(reading.batches.map(({ endOffset }) => endOffset)).size).toBeLessThanOrEqual(2);
      expect(reading.batches.at(-1)?.endOffset).toBe(1);
      await open.commit();

      await reading.reaches(4);
      expect(values(reading.records)).toEqual(["before", "within", "after"]);
      expect(reading.offsets).toEqual([0, 1, 2]);
    });

    test("where the last that was written was aborted, a read goes on at the end", async () => {
      const topic = await newTopic();
      const producer = await transactional();
      await producer.begin();
      await producer.send(topic, numbered(0, 3));
      await producer.abort();

      const reading = await read(topic);
      await reading.reaches(4);

      expect(reading.records).toEqual([]);
      expect(reading.batches.at(-1)).toMatchObject({ nextOffset: 4, endOffset: 4 });
    });

    test("[R8] from wherever a read begins, it has all that was committed and nothing that was aborted, and nothing seems removed", async () => {
      const topic = await newTopic();
      const plain = await producers.open();
      const writers = await Promise.all(range(0, 4).map(transactional));
      const committed: [offset: number, value: string][] = [];
      const open = new Map<JavaProducer, [number, string][]>();
      // The same sequence each time: a producer's transactions differ in how they end and what they overlap.
      let state = 7;
      const below = (bound: number) => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((state / 2 ** 31) * bound);
      };
      const send = async (producer: JavaProducer, value: string): Promise<[number, string][]> => {
        const records = range(0, 1 + below(3)).map((i) => recordOf(0, `${value}.${i}`));
        const offsets = await producer.send(topic, records);
        return offsets.map((offset, i) => [offset, `${value}.${i}`]);
      };
      const finish = async (producer: JavaProducer, sent: [number, string][]) => {
        open.delete(producer);
        if (below(2) === 0) return producer.abort();
        await producer.commit();
        committed.push(...sent);
      };
      for (const step of range(0, 120)) {
        const writer = writers[below(6)];
        const sent = writer === undefined ? undefined : open.get(writer);
        if (writer === undefined) committed.push(...(await send(plain, `plain${step}`)));
        else if (sent === undefined) {
          await writer.begin();
          open.set(writer, await send(writer, `transaction${step}`));
        } else if (below(3) === 0) sent.push(...(await send(writer, `more${step}`)));
        else await finish(writer, sent);
      }
      for (const [writer, sent] of open) await finish(writer, sent);
      committed.sort(([a], [b]) => a - b);
      const end = await lastEndOf(topic);

      expect(committed.length).toBeGreaterThan(50);
      expect(end - committed.length).toBeGreaterThan(50);
      for (const from of range(0, end + 1)) {
        const reading = await read(topic, from);
        await reading.reaches(end);
        await reading.stop();
        const expected = committed.filter(([offset]) => offset >= from);
        expect(reading.offsets).toEqual(expected.map(([offset]) => offset));
        expect(values(reading.records)).toEqual(expected.map(([, value]) => value));
        expect(reading.batches.filter(({ wholeFrom }) => wholeFrom !== undefined)).toEqual([]);
      }
    });

    test("what can't be read any more ends no other read", async () => {
      const producer = await producers.open();
      const [lost, trimmed, kept] = [await newTopic(), await newTopic(), await newTopic()];
      await producer.send(trimmed, numbered(0, 5));
      const reading = await read(kept);
      const ending = await read(lost);
      await ending.reaches(0);

      await trim(kafka, trimmed, 0, 5);
      await deleteTopic(admin, lost);

      await expect((await read(trimmed)).ended).rejects.toMatchObject({ code: "offset_out_of_range" });
      await expect(ending.ended).rejects.toMatchObject({ code: "unknown_topic" });
      await producer.send(kept, numbered(0, 5));
      await reading.reaches(5);
    });

    test("closing it ends a question that no broker will answer", async () => {
      const silent = createServer().listen(0, "127.0.0.1");
      await once(silent, "listening");
      const asked = once(silent, "connection");
      const { port } = silent.address() as AddressInfo;
      const deaf = new KafkaSource({ brokers: [`127.0.0.1:${port}`], clientId: "test" });

      const question = deaf.describe("any");
      await asked;
      await deaf.close();

      await expect(question).rejects.toMatchObject({ name: "SourceError", code: "unavailable" });
      silent.close();
    });

    test("where compaction took records, or all of a batch, a read passes over their offsets", async () => {
      const topic = await newTopic({
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
      });
      const producer = await producers.open();
      let produced = 0;
      const write = async () => {
        const keys = range(0, 10).map((i) => new TextEncoder().encode(`k${i}`));
        await producer.send(
          topic,
          // Segments end by the time of records.
          keys.map((key) => recordOf(0, String(produced++), { key, timestamp: Date.now() })),
        );
      };
      const readAll = async () => {
        const reading = await read(topic);
        await reading.reaches(produced);
        await reading.stop();
        return reading.records;
      };

      await write();
      const records = await eventually(async () => {
        await write();
        const found = await readAll();
        return found.length < produced && found;
      }, "compaction took something");

      // Of each key the latest is there; and nothing came twice, or out of order.
      const latest = new Map(records.map(({ key, value }) => [String(key), String(value)]));
      expect([...latest.values()].map(Number)).toEqual(range(produced - 10, produced));
    });

    test("records without a time are older than any", async () => {
      const topic = await newTopic();
      const producer = kafka.client().producer();
      await producer.connect();
      await producer.send({ topic, messages: [{ key: "k", value: "untimed", timestamp: "-1" }] });
      const [info] = await partitionsOf(source, topic);
      const at = { topic, partition: 0, epoch: info?.epoch ?? "", timestamp: 0 };
      const reading = await read(topic);
      await reading.reaches(1);

      expect(reading.records.map(({ timestamp }) => timestamp)).toEqual([undefined]);
      expect(await source.offsetAt(at)).toBeUndefined();
      await producer.send({ topic, messages: [{ key: "k", value: "timed", timestamp: "5" }] });
      expect(await source.offsetAt(at)).toBe(1);
      await producer.disconnect();
    });

    test("[F2] times are as the log has them, up to 2^53 - 1; one beyond is none, and hinders no search by time", async () => {
      const topic = await newTopic();
      const producer = await producers.open({ "linger.ms": 50 });
      const times = [2n ** 63n - 1n, 1_700_000_000_123, 0, 2n ** 53n - 1n, 2n ** 53n, 1_700_000_000_124];
      await producer.send(
        topic,
        times.map((timestamp) => ({ ...recordOf(0, String(timestamp)), timestamp })),
      );
      const [info] = await partitionsOf(source, topic);
      const reading = await read(topic);
      await reading.reaches(times.length);

      expect(reading.records.map(({ timestamp }) => timestamp)).toEqual([
        ...[undefined, 1_700_000_000_123, 0, 2 ** 53 - 1, undefined, 1_700_000_000_124],
      ]);
      const at = { topic, partition: 0, epoch: info?.epoch ?? "", timestamp: 1_600_000_000_000 };
      // As the broker sees it.
      expect(await source.offsetAt(at)).toBe(0);
    });

    test("records that the log gives their time have that time", async () => {
      const topic = await newTopic({ "message.timestamp.type": "LogAppendTime" });
      const before = Date.now();
      await (await producers.open()).send(topic, numbered(0, 3));

      const reading = await read(topic);
      await reading.reaches(3);

      for (const { timestamp } of reading.records) {
        expect(timestamp).toBeGreaterThanOrEqual(before);
        expect(timestamp).toBeLessThanOrEqual(Date.now());
      }
    });
  });
});
