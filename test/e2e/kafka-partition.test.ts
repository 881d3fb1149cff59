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
  /** One for each. */
  readonly #producers: readonly JavaProducer[];
  readonly #written: number[];

  constructor(deployment: Deployment, producers: readonly JavaProducer[], topic: string) {
    this.topic = topic;
    this.#deployment = deployment;
    this.#producers = producers;
    this.#written = producers.map(() => 0);
    this.subscribers = producers.map((_, partition) => deployment.subscribe(`/${topic}/k${partition}`));
  }

  async write(partitions: readonly number[], count: number): Promise<void> {
    for (const partition of partitions) {
      const from = this.#written[partition] ?? 0;
      this.#written[partition] = from + count;
      const key = text(`k${partition}`);
      const records = range(from, from + count).map((n) => recordOf(partition, String(n), { key }));
      await this.#producers[partition]?.send(this.topic, records);
    }
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

async function start(kafka: KafkaBroker, topic: string, logLevel = "info"): Promise<Deployment> {
  const deployment = await Deployment.start({
    topics: { [topic]: {} },
    originEnv: { KAFKA_BROKERS: kafka.bootstrap, LOG_LEVEL: logLevel },
  });
  onTestFinished(() => deployment.stop());
  return deployment;
}

describeWithKafka("one partition of Kafka can't be read:", () => {
  describe("its leader is gone, and nobody takes over", () => {
    const [KILLED, FROZEN] = [2, 3];
    /** Who leads each of them. */
    const LEADERS = [1, KILLED, FROZEN, 1, KILLED, FROZEN];
    const led = (by: number) => range(0, LEADERS.length).filter((partition) => LEADERS[partition] === by);
    const [killed, frozen, good] = [led(KILLED), led(FROZEN), led(1)];
    const all = range(0, LEADERS.length);
    let kafka: KafkaBroker;
    let producers: JavaProducers;

    beforeAll(async () => {
      kafka = await KafkaBroker.start({
        brokers: 3,
        oneController: true,
        config: { "default.replication.factor": 1, "min.insync.replicas": 1 },
      });
      producers = new JavaProducers(kafka);
    });
    afterAll(async () => {
      await producers?.stop();
      await kafka?.stop();
    });

    test("[P5] [P6] killed or frozen: others are delivered meanwhile and new subscribers served, and when it is back nothing was lost", async () => {
      const topic = "spread";
      const admin = kafka.client().admin();
      await admin.connect();
      const replicas = LEADERS.map((leader) => [leader]);
      await createPlacedTopic(admin, topic, replicas);
      await admin.disconnect();
      const producer = await producers.open();
      const deployment = await start(kafka, topic, "debug");
      const partitions = new Partitions(
        deployment,
        all.map(() => producer),
        topic,
      );
      await Promise.all(partitions.subscribers.map((subscriber) => subscriber.verdict()));
      await partitions.write(all, 20);
      await partitions.expectAllOf(all);

      await kafka.kill(KILLED);
      kafka.freeze(FROZEN, true);
      const loudly = new Set<unknown>();
      /** One reason is told of once, whatever it befalls, but for those who look closely. */
      const told = new Set<unknown>();
      const isTold = (some: readonly number[]) => some.some((partition) => told.has(partition));
      let rounds = 0;
      await eventually(
        async () => {
          await partitions.write(good, 10);
          await partitions.expectAllOf(good);
          rounds++;
          for (const { event, partition } of eventsOf(deployment)) {
            if (event === "partition_failed") loudly.add(partition);
            if (event === "partition_failed" || event === "still_failing") told.add(partition);
          }
          return loudly.size > 0 && isTold(killed) && isTold(frozen);
        },
        "the log names them",
        60_000,
      );
      expect(good.filter((partition) => told.has(partition))).toEqual([]);
      await partitions.write(good, 10);
      await partitions.expectAllOf(good);
      expect(rounds).toBeGreaterThan(5);
      const late = deployment.subscribe(`/${topic}/k0`, "-");
      expect(await late.verdict()).toMatchObject({ recovered: true });
      expect(await Promise.all([0, 1, 2].map((partition) => partitions.status(partition)))).toEqual([
        200, 200, 200,
      ]);

      kafka.freeze(FROZEN, false);
      await kafka.restart(KILLED);
      await partitions.write(all, 20);
      await partitions.expectAllOf(all);
      await eventually(
        () => eventsOf(deployment).some(({ event }) => event === "trouble_over"),
        "the log says that it is over",
      );
      await late.close();
      await partitions.close();
    }, 150_000);
  });

  describe("its records are damaged on the broker's disk", () => {
    let kafka: KafkaBroker;
    let producers: JavaProducers;

    beforeAll(async () => {
      kafka = await KafkaBroker.start();
      producers = new JavaProducers(kafka);
    });
    afterAll(async () => {
      await producers?.stop();
      await kafka?.stop();
    });

    test("[P5] [P6] it stops loudly before them, others go on, and once they are mended nothing was lost", async () => {
      const topic = "damaged";
      /** The first is whole, each of the others damaged in its way. */
      const damages = Object.keys(DAMAGES) as Damage[];
      const bad = damages.map((_, i) => 1 + i);
      const all = [0, ...bad];
      const admin = kafka.client().admin();
      await admin.connect();
      await createTopic(admin, topic, all.length);
      await admin.disconnect();
      const open = (codec: string) => producers.open({ "compression.type": codec, "linger.ms": 50 });
      const [plain, gzip] = [await open("none"), await open("gzip")];
      const deployment = await start(kafka, topic);
      const partitions = new Partitions(
        deployment,
        [plain, ...damages.map((how) => (how === "a bit that flipped" ? plain : gzip))],
        topic,
      );
      await Promise.all(partitions.subscribers.map((subscriber) => subscriber.verdict()));
      await partitions.write(all, 10);
      await partitions.expectAllOf(all);
      await deployment.origin?.stop();
      await partitions.write(bad, 5);
      const at = bad.map((partition) => statSync(kafka.segment(topic, partition)).size);
      await partitions.write(all, 10);
      await kafka.shutDown();
      const mends = damages.map((how, i) => damage(kafka.segment(topic, bad[i] ?? 0), at[i] ?? 0, how));
      await kafka.restart();

      deployment.origin = deployment.startOrigin();
      const stopped = await eventually(() => {
        const found = eventsOf(deployment).filter(({ event }) => event === "partition_stopped");
        return found.length >= bad.length && found;
      }, "the log names them");
      const corrupt = { level: "error", topic, code: "corrupt" };
      expect(stopped.toSorted((a, b) => Number(a.partition) - Number(b.partition))).toMatchObject(
        bad.map((partition) => ({ ...corrupt, partition })),
      );
      await partitions.write(all, 10);
      await partitions.expectAllOf([0]);
      const before = bad.map((partition) => partitions.subscribers[partition]);
      for (const subscriber of before)
        await subscriber?.until(({ updates }) => updates.length === 15, "what lies before the damage");
      expect((await fetch(`${deployment.url}/$/health`)).status).toBe(503);
      expect(await Promise.all(all.map((partition) => partitions.status(partition)))).toEqual([
        200,
        ...bad.map(() => 503),
      ]);

      await deployment.origin.stop();
      expect(before.map((subscriber) => subscriber?.updates.length)).toEqual(bad.map(() => 15));
      await kafka.shutDown();
      for (const mend of mends) mend();
      await kafka.restart();
      deployment.origin = deployment.startOrigin();
      await deployment.ready();
      await partitions.expectAllOf(all);
      await partitions.close();
    }, 90_000);
  });
});
