/** Clusters as they are in the field: leaders that are gone or silent, that lose records; partitions that move and grow. */
import { randomUUID } from "node:crypto";
import type { Admin } from "kafkajs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { numbered, range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { Following } from "../../support/following.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { handOver } from "../../support/kafka-reassign.ts";
import { createPlacedTopic, createTopic, deleteTopic, growTo, moveTo } from "../../support/kafka-topics.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";
import { Writing } from "../../support/writing.ts";

/** Those who follow begin anew after each of these; what can't be read shall be told of soon. */
const LIMITS = { connectMs: 3_000, patienceMs: 3_000 };

describeWithKafka("a cluster of which not everything is there:", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let admin: Admin;
  let source: KafkaSource;
  let topic: string;
  const followings: Following[] = [];
  const writings: Writing[] = [];

  beforeAll(async () => {
    kafka = await KafkaBroker.start({ brokers: 3, oneController: true });
    producers = new JavaProducers(kafka);
    admin = kafka.client().admin();
    await admin.connect();
    source = newSource();
  });
  afterEach(async () => {
    await Promise.all(writings.splice(0).map((writing) => writing.stop()));
    await Promise.all(followings.splice(0).map((following) => following.stop()));
  });
  afterAll(async () => {
    await source?.close();
    await admin?.disconnect();
    await producers?.stop();
    await kafka?.stop();
  });

  const newSource = (brokers = kafka.brokers) =>
    new KafkaSource({ brokers, clientId: "test", limits: LIMITS });
  const newTopic = (of: string) => {
    topic = `${of}-${randomUUID()}`;
    return topic;
  };
  const follow = (by = source) => {
    const following = new Following(by, topic);
    followings.push(following);
    return following;
  };
  async function writeTo(...partitions: number[]): Promise<Writing> {
    const producer = await producers.open({
      "retry.backoff.ms": 50,
      "request.timeout.ms": 3_000,
      "delivery.timeout.ms": 5_000,
      "max.block.ms": 500,
      "linger.ms": 0,
    });
    const writing = new Writing(producer, topic, partitions);
    writings.push(writing);
    return writing;
  }
  /** What is written from now on comes through, some rounds of it. */
  async function goesOn(writing: Writing, partitions: readonly number[], ...followings: Following[]) {
    const { rounds } = writing;
    await eventually(() => writing.rounds > rounds + 5, "five more rounds are written", 60_000);
    for (const partition of partitions)
      for (const following of followings)
        await following.reaches(partition, writing.acknowledged(partition).at(-1));
  }

  /** All that was acknowledged, once and in order; what wasn't may have been written all the same. */
  function expectWritten(writing: Writing, partition: number, read: readonly string[]) {
    const unsure = new Set(writing.of(partition).flatMap((one) => (one.acknowledged ? [] : [one.value])));
    expect(read.filter((value) => !unsure.has(value))).toEqual(writing.acknowledged(partition));
    expect(new Set(read).size).toBe(read.length);
  }

  test("partitions whose leaders are gone or silent, before the first look or later, hold up no other, are loud, and lose nothing", {
    timeout: 120_000,
  }, async () => {
    await createPlacedTopic(admin, newTopic("leaderless"), [[1], [2], [3]]);
    const writing = await writeTo(0, 1, 2);
    const before = follow();
    await goesOn(writing, [0, 1, 2], before);
    writing.writeTo([0]);
    await goesOn(writing, [0], before);

    await kafka.kill(2);
    kafka.freeze(3, true);
    await goesOn(writing, [0], before);
    const other = newSource(kafka.brokers.toReversed());
    const after = follow(other);

    await goesOn(writing, [0], before, after);
    // Ready as soon as it has caught up with where the first look found its end.
    await eventually(
      () => after.partition(0)?.stage.kind === "ready",
      "the partition that can be read is ready",
    );
    expect(after.partition(0)?.trouble).toBeUndefined();
    for (const partition of [1, 2]) {
      expect(after.partition(partition)).toMatchObject({
        stage: { kind: expect.not.stringMatching("^ready$") },
        trouble: { error: expect.any(String) },
      });
      await eventually(() => before.partition(partition)?.trouble, "it is in error", 60_000);
    }
    await goesOn(writing, [0], before, after);
    for (const { recorded } of [before, after]) {
      const told = recorded.of("partition_failed");
      expect(new Set(told.map(({ message }) => message)).size).toBe(told.length);
      expect(new Set(told.map(({ code }) => code))).toEqual(new Set(["unavailable"]));
    }
    kafka.freeze(3, false);
    await kafka.restart(2);
    writing.writeTo([0, 1, 2]);
    await goesOn(writing, [0, 1, 2], before, after);
    await writing.stop();

    for (const following of [before, after])
      for (const partition of range(0, 3)) {
        await following.reaches(partition, writing.acknowledged(partition).at(-1));
        expectWritten(writing, partition, following.read(partition));
        expect(following.partition(partition)).toMatchObject({
          stage: { kind: "ready" },
          trouble: undefined,
        });
      }
    await after.recorded.until("trouble_over");
    await after.stop();
    await other.close();
    // kafkajs's admin, which tests wait with, knows no cluster of which any partition has no leader.
    await deleteTopic(admin, topic);
  });

  test("a log that an unclean election has truncated is noticed, though it has grown past where reading was", {
    timeout: 90_000,
  }, async () => {
    const producer = await producers.open({ "retry.backoff.ms": 50, "request.timeout.ms": 3_000 });
    await createPlacedTopic(admin, newTopic("unclean"), [[2, 3]], {
      "unclean.leader.election.enable": "true",
      "min.insync.replicas": "1",
    });
    const partition = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions[0];
    };
    await producer.send(topic, numbered(0, 10));
    await kafka.kill(3);
    await eventually(async () => (await partition())?.isr.join() === "2", "the other is out of sync");
    await producer.send(topic, numbered(0, 10, 10));
    const [info] = await partitionsOf(source, topic);
    const read = (from: number) =>
      new Reading(source, { topic, partition: 0, epoch: info?.epoch ?? "", from });
    const reading = read(0);
    await reading.reaches(20);
    await reading.stop();

    await kafka.kill(2);
    await kafka.restart(3);
    await eventually(async () => (await partition())?.leader === 3, "the stale replica leads");
    const offsets = await producer.send(topic, numbered(0, 15, 100));

    expect(offsets).toEqual(range(10, 25));
    await expect(read(20).ended).rejects.toMatchObject({ name: "SourceError", code: "truncated" });
    const anew = read(0);
    await anew.reaches(25);
    await anew.stop();
    await kafka.restart(2);
  });

  test("while partitions move, are added and change their leader, and brokers join and leave, all that is written is read, once and in order", {
    timeout: 240_000,
  }, async () => {
    await createPlacedTopic(admin, newTopic("moved"), [
      [1, 2],
      [2, 3],
      [3, 1],
    ]);
    const writing = await writeTo(0, 1, 2);
    const following = follow();
    await goesOn(writing, [0, 1, 2], following);

    const { id: fourth } = await kafka.add();
    await moveTo(admin, topic, 0, [fourth, 1]);
    await goesOn(writing, [0, 1, 2], following);
    await moveTo(admin, topic, 1, [fourth]);
    await moveTo(admin, topic, 2, [1]);
    await goesOn(writing, [0, 1, 2], following);
    await kafka.shutDown(fourth);
    await kafka.restart(fourth);
    await goesOn(writing, [0, 1, 2], following);
    await growTo(admin, topic, 5);
    await eventually(async () => (await source.describe(topic))?.length === 5, "there are five");
    writing.writeTo(range(0, 5));
    await goesOn(writing, range(0, 5), following);
    await handOver(admin, 3, fourth);
    await kafka.remove(3);
    await goesOn(writing, range(0, 5), following);
    await writing.stop();

    for (const partition of range(0, 5)) {
      await following.reaches(partition, writing.acknowledged(partition).at(-1));
      const read = following.read(partition);
      expect(new Set(read).size).toBe(read.length);
      // What wasn't acknowledged may have been written all the same.
      const sent = writing.of(partition).filter((one) => one.acknowledged || read.includes(one.value));
      expect(read).toEqual(sent.map(({ value }) => value));
    }
    expect(following.recorded.of("partition_hole")).toEqual([]);
  });

  test("of a topic that is deleted and created again under a producer, all of the new one is read, once and in order", {
    timeout: 90_000,
  }, async () => {
    await createTopic(admin, newTopic("again"), 2);
    const writing = await writeTo(0, 1);
    const following = follow();
    await goesOn(writing, [0, 1], following);
    const epoch = following.partition(0)?.epoch;

    await deleteTopic(admin, topic);
    await createTopic(admin, topic, 2);
    await eventually(() => {
      const now = following.partition(0)?.epoch;
      return now !== undefined && now !== epoch;
    }, "the new topic is found");
    await goesOn(writing, [0, 1], following);
    await writing.stop();

    for (const partition of [0, 1]) {
      await following.reaches(partition, writing.acknowledged(partition).at(-1));
      const read = following.read(partition);
      expect(read.length).toBeGreaterThan(10);
      const written = writing.of(partition);
      const since = written.slice(written.findIndex(({ value }) => value === read[0]));
      const sent = since.filter((one) => one.acknowledged || read.includes(one.value));
      expect(read).toEqual(sent.map(({ value }) => value));
    }
  });
});
