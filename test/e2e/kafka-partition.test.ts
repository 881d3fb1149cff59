/** One partition can't be read: all others go on meanwhile, it is said, and afterwards nothing is lost. */
import { statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { range, recordOf, text } from "../support/contract-records.ts";
import { DAMAGES, type Damage, damage } from "../support/damage.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../support/kafka-producer.ts";
import { createPlacedTopic, createTopic } from "../support/kafka-topics.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

/** A key of its own in each partition, which is numbered from 0, as its values are. */
class Partitions {
  readonly topic: string;
  readonly subscribers: readonly RawSubscriber[];
  readonly #deployment: Deployment;
  readonly #producer: JavaProducer;
  readonly #written: number[];

  constructor(deployment: Deployment, producer: JavaProducer, topic: string, count: number) {
    this.topic = topic;
    this.#deployment = deployment;
    this.#producer = producer;
    this.#written = range(0, count).map(() => 0);
    this.subscribers = range(0, count).map((partition) => deployment.subscribe(`/${topic}/k${partition}`));
  }

  async write(partitions: readonly number[], count: number): Promise<void> {
    const records = partitions.flatMap((partition) => {
      const from = this.#written[partition] ?? 0;
      this.#written[partition] = from + count;
      const key = text(`k${partition}`);
      return range(from, from + count).map((n) => recordOf(partition, String(n), { key }));
    });
    await this.#producer.send(this.topic, records);
  }

  /** All that was written to them has come, once and in order. */
  async expectAllOf(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) {
      const subscriber = this.subscribers[partition];
      const written = this.#written[partition] ?? 0;
      await subscriber?.until(({ updates }) => updates.length >= written, `all of partition ${partition}`);
      expect(subscriber?.updates.map(({ value }) => Number(value))).toEqual(range(0, written));
      expect([subscriber?.violations, subscriber?.resets, subscriber?.verdicts.length]).toEqual([[], [], 1]);
    }
  }

  async status(partition: number): Promise<number> {
    return (await fetch(`${this.#deployment.url}/${this.topic}/k${partition}`)).status;
  }

  async close(): Promise<void> {
    await Promise.all(this.subscribers.map((subscriber) => subscriber.close()));
  }
}

const eventsOf = ({ origin }: Deployment) =>
  (origin?.output ?? "")
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line): Record<string, unknown> => JSON.parse(line));

async function start(kafka: KafkaBroker, topic: string): Promise<Deployment> {
  const deployment = await Deployment.start({
    topics: { [topic]: {} },
    originEnv: { KAFKA_BROKERS: kafka.bootstrap },
  });
  onTestFinished(() => deployment.stop());
  return deployment;
}

describeWithKafka("one partition of Kafka can't be read:", () => {
  describe("its leader is gone, and nobody takes over", () => {
    const LOST = 3;
    const [bad, good] = [
      [2, 5],
      [0, 1, 3, 4],
    ];
    let kafka: KafkaBroker;
    let producers: JavaProducers;
    let producer: JavaProducer;

    beforeAll(async () => {
      kafka = await KafkaBroker.start({
        brokers: 3,
        config: { "default.replication.factor": 1, "min.insync.replicas": 1 },
      });
      producers = new JavaProducers(kafka);
      producer = await producers.open();
    }, 90_000);
    afterAll(async () => {
      await producers?.stop();
      await kafka?.stop();
    });

    async function create(topic: string): Promise<void> {
      const admin = kafka.client().admin();
      await admin.connect();
      const replicas = range(0, 6).map((partition) => [1 + (partition % 3)]);
      await createPlacedTopic(admin, topic, replicas);
      await admin.disconnect();
    }

    test.each([
      ["killed", () => kafka.kill(LOST), () => kafka.restart(LOST)],
      ["frozen", async () => kafka.freeze(LOST, true), async () => kafka.freeze(LOST, false)],
    ] as const)(
      "[P5] [P6] %s: others are delivered meanwhile and new subscribers served, and when it is back nothing was lost",
      async (how, lose, bringBack) => {
        const topic = `spread-${how}`;
        await create(topic);
        const deployment = await start(kafka, topic);
        const partitions = new Partitions(deployment, producer, topic, 6);
        await Promise.all(partitions.subscribers.map((subscriber) => subscriber.verdict()));
        await partitions.write([...bad, ...good], 20);
        await partitions.expectAllOf([...bad, ...good]);

        await lose();
        const isTold = () => eventsOf(deployment).find(({ event }) => event === "partition_failed");
        let rounds = 0;
        await eventually(async () => {
          await partitions.write(good, 10);
          await partitions.expectAllOf(good);
          rounds++;
          return isTold();
        }, "the log names it");
        expect(bad).toContain(isTold()?.partition);
        await partitions.write(good, 10);
        await partitions.expectAllOf(good);
        expect(rounds).toBeGreaterThan(5);
        const late = deployment.subscribe(`/${topic}/k0`, "-");
        expect(await late.verdict()).toMatchObject({ recovered: true });
        expect(await Promise.all([0, 2].map((partition) => partitions.status(partition)))).toEqual([
          200, 200,
        ]);

        await bringBack();
        await partitions.write([...bad, ...good], 20);
        await partitions.expectAllOf([...bad, ...good]);
        await eventually(
          () => eventsOf(deployment).some(({ event }) => event === "trouble_over"),
          "the log says that it is over",
        );
        await late.close();
        await partitions.close();
      },
      90_000,
    );
  });

  describe("its records are damaged on the broker's disk", () => {
    let kafka: KafkaBroker;
    let producers: JavaProducers;

    beforeAll(async () => {
      kafka = await KafkaBroker.start();
      producers = new JavaProducers(kafka);
    }, 90_000);
    afterAll(async () => {
      await producers?.stop();
      await kafka?.stop();
    });

    test.each(Object.keys(DAMAGES) as Damage[])(
      "[P5] [P6] %s: it stops loudly before them, others go on, and once they are mended nothing was lost",
      async (how) => {
        const topic = how.replaceAll(/\W/g, "-");
        const admin = kafka.client().admin();
        await admin.connect();
        await createTopic(admin, topic, 3);
        await admin.disconnect();
        const codec = how === "a bit that flipped" ? "none" : "gzip";
        const producer = await producers.open({ "compression.type": codec, "linger.ms": 50 });
        const deployment = await start(kafka, topic);
        const partitions = new Partitions(deployment, producer, topic, 3);
        await Promise.all(partitions.subscribers.map((subscriber) => subscriber.verdict()));
        await partitions.write([0, 1, 2], 10);
        await partitions.expectAllOf([0, 1, 2]);
        await deployment.origin?.stop();
        const segment = kafka.segment(topic, 1);
        await partitions.write([1], 5);
        const at = statSync(segment).size;
        await partitions.write([0, 1, 2], 10);
        await kafka.shutDown();
        const mend = damage(segment, at, how);
        await kafka.restart();

        deployment.origin = deployment.startOrigin();
        const stopped = await eventually(
          () => eventsOf(deployment).find(({ event }) => event === "partition_stopped"),
          "the log names it",
        );
        expect(stopped).toMatchObject({ level: "error", topic, partition: 1, code: "corrupt" });
        await partitions.write([0, 1, 2], 10);
        await partitions.expectAllOf([0, 2]);
        const before = partitions.subscribers[1];
        await before?.until(({ updates }) => updates.length === 15, "what lies before the damage");
        expect((await fetch(`${deployment.url}/$/health`)).status).toBe(503);
        expect(await Promise.all([0, 1].map((partition) => partitions.status(partition)))).toEqual([
          200, 503,
        ]);

        await deployment.origin.stop();
        expect(before?.updates.length).toBe(15);
        await kafka.shutDown();
        mend();
        await kafka.restart();
        deployment.origin = deployment.startOrigin();
        await deployment.ready();
        await partitions.expectAllOf([0, 1, 2]);
        await partitions.close();
      },
      90_000,
    );
  });
});
