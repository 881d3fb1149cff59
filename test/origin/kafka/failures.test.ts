/** Brokers that die, hand over, come back or stop answering, while partitions are read. */
import { randomUUID } from "node:crypto";
import type { Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Limits } from "../../../origin/kafka/settings.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { numbered, range, values } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../../support/kafka-producer.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

/** How long brokers take to come back or take over depends on the machine: reads that go on shall wait for it. */
const PATIENT = { connectMs: 3_000, patienceMs: 60_000 };
/** Reads that end in the end needn't take long. */
const IMPATIENT = { patienceMs: 500 };

describeWithKafka("reading Kafka through failures:", () => {
  describe.each([1, 3] as const)("of %d broker(s)", { timeout: 90_000 }, (brokers) => {
    let kafka: KafkaBroker;
    let producers: JavaProducers;
    let producer: JavaProducer;
    let admin: Admin;
    let source: KafkaSource;
    let topic: string;
    let readings: Reading[] = [];

    beforeAll(async () => {
      kafka = await KafkaBroker.start({ brokers });
      producers = new JavaProducers(kafka);
      producer = await producers.open({ "retry.backoff.ms": 50, "request.timeout.ms": 3_000 });
      admin = kafka.client().admin();
      await admin.connect();
      topic = `failures-${randomUUID()}`;
      await createTopic(admin, topic, 6);
      source = newSource(PATIENT);
    });
    afterEach(async () => {
      for (const reading of readings) reading.abort();
      await Promise.allSettled(readings.map(({ ended }) => ended));
      readings = [];
    });
    afterAll(async () => {
      await source?.close();
      await admin?.disconnect();
      await producers?.stop();
      await kafka?.stop();
    });

    const newSource = (limits: Partial<Limits>) =>
      new KafkaSource({ brokers: kafka.brokers, clientId: "test", limits });

    async function readAll(): Promise<Reading[]> {
      const infos = await partitionsOf(source, topic);
      readings = infos.map(
        ({ partition, epoch }) => new Reading(source, { topic, partition, epoch, from: 0 }),
      );
      return readings;
    }

    let written = 0;
    /** Ten more to each partition, and all that was written is what all have read. */
    async function expectAllGoOn(): Promise<void> {
      const partitions = range(0, 6);
      await producer.send(
        topic,
        partitions.flatMap((partition) => numbered(partition, 10, written)),
      );
      written += 10;
      await Promise.all(readings.map((reading) => reading.reaches(written)));
      for (const { records } of readings) expect(values(records)).toEqual(range(0, written).map(String));
    }

    const partitions = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions ?? [];
    };
    const leaderOf = (partition: number) =>
      eventually(async () => {
        const led = (await partitions()).find(({ partitionId }) => partitionId === partition);
        return led !== undefined && led.leader > 0 && led.leader;
      }, `partition ${partition} is led`);
    /** What every test begins with: all brokers are there, and hold all that there is. */
    const inSync = () =>
      eventually(
        async () => {
          const all = await partitions();
          return all.length === 6 && all.every(({ isr, leader }) => leader > 0 && isr.length === brokers);
        },
        "every replica is in sync",
        60_000,
      );

    test("reads go on, with nothing lost or repeated, after the broker that they read from was killed", async () => {
      await inSync();
      await readAll();
      await expectAllGoOn();
      const leader = await leaderOf(0);

      await kafka.kill(leader);
      if (brokers > 1) await expectAllGoOn();
      await kafka.restart(leader);

      await expectAllGoOn();
    });

    test("reads go on after it was shut down in order and came back", async () => {
      await inSync();
      await readAll();
      await expectAllGoOn();
      const leader = await leaderOf(0);

      await kafka.shutDown(leader);
      if (brokers > 1) await expectAllGoOn();
      await kafka.restart(leader);

      await expectAllGoOn();
    });

    if (brokers === 3)
      test("reads of one that stopped answering go on at those that took over", async () => {
        await inSync();
        await readAll();
        await expectAllGoOn();
        const leader = await leaderOf(0);

        kafka.freeze(leader, true);
        await expectAllGoOn();

        kafka.freeze(leader, false);
        await expectAllGoOn();
      });

    if (brokers === 1)
      test("while no broker can be reached, describing and reading end with unavailable", async () => {
        const patient = source;
        source = newSource(IMPATIENT);
        onTestFinished(() => patient.close());
        await inSync();
        await readAll();
        await expectAllGoOn();
        const unavailable = expect.objectContaining({ name: "SourceError", code: "unavailable" });

        await kafka.kill();

        await expect(source.describe(topic)).rejects.toEqual(unavailable);
        for (const { ended } of readings) await expect(ended).rejects.toEqual(unavailable);
        await kafka.restart();
        await inSync();
        await readAll();
        await expectAllGoOn();
      });
  });
});
