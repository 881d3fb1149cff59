/** A producer leaves a transaction open: nothing behind it is delivered, and that is said, by whichever origin reads it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { range, recordOf, text } from "../support/contract-records.ts";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../support/kafka-producer.ts";
import { createTopic } from "../support/kafka-topics.ts";
import { freePort } from "../support/ports.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const BEHIND = 100;

interface Readiness {
  readonly ready: boolean;
  readonly unseen: readonly string[];
  readonly partitions: readonly {
    readonly partition: number;
    readonly lag: number;
    readonly heldBack?: { readonly records: number; readonly seconds: number };
  }[];
}

interface Origin {
  readonly child: Child;
  readonly port: number;
}

const on = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);

async function readiness({ port }: Origin): Promise<Readiness & { status: number }> {
  const answer = await on(port, "/readyz");
  return { ...((await answer.json()) as Readiness), status: answer.status };
}

const gauge = async ({ port }: Origin, name: string, labels: string) => {
  const line = (await (await on(port, "/metrics")).text())
    .split("\n")
    .find((one) => one.startsWith(`distributary_partition_held_back_${name}{${labels}}`));
  return Number(line?.split(" ").at(-1));
};

const eventsOf = ({ child }: Origin, event: string) =>
  child.output
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line): Record<string, unknown> => JSON.parse(line))
    .filter((one) => one.event === event);

describeWithKafka("what a transaction holds back", () => {
  const topic = "held";
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let hanging: JavaProducer;
  let plain: JavaProducer;
  let deployment: Deployment;
  const origins: Origin[] = [];

  beforeAll(async () => {
    kafka = await KafkaBroker.start();
    producers = new JavaProducers(kafka);
    hanging = await producers.open({ "transactional.id": "hangs", "transaction.timeout.ms": 600_000 });
    plain = await producers.open();
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, topic, 2);
    await admin.disconnect();
    const port = await freePort();
    deployment = await Deployment.start({
      topics: { [topic]: {} },
      originEnv: { KAFKA_BROKERS: kafka.bootstrap, STATUS_PORT: String(port) },
    });
    if (deployment.origin !== undefined) origins.push({ child: deployment.origin, port });
    await add("second");
  });
  afterAll(async () => {
    await Promise.all(origins.map(({ child }) => child.stop("SIGKILL")));
    await deployment?.stop();
    await producers?.stop();
    await kafka?.stop();
  });

  /** Another origin, which stands by. */
  async function add(name: string): Promise<Origin> {
    const port = await freePort();
    const origin = { child: deployment.startOrigin(name, { STATUS_PORT: String(port) }), port };
    origins.push(origin);
    await eventually(async () => {
      const answer = await on(port, "/readyz").catch(() => undefined);
      return answer?.status === 200;
    }, `${name} is ready`);
    return origin;
  }

  test("is named with partition, records and time in health, metrics and log, also by a standby and by one that starts; then that it is over", {
    timeout: 90_000,
  }, async () => {
    const key = text("A");
    const subscriber = deployment.subscribe(`/${topic}/A`);
    await plain.send(topic, [recordOf(0, "0", { key }), recordOf(1, "0")]);
    await subscriber.until(({ updates }) => updates.length === 1, "what was written before it");

    await hanging.begin();
    await hanging.send(topic, [recordOf(0, "open", { key: text("T") })]);
    await plain.send(
      topic,
      range(1, BEHIND + 1).map((n) => recordOf(0, String(n), { key })),
    );
    await add("third");
    for (const origin of origins) {
      await eventually(() => eventsOf(origin, "records_held_back")[0], "it is told of");
      const [told] = eventsOf(origin, "records_held_back");
      expect(told).toMatchObject({ level: "warn", topic, partition: 0, from: 1, records: BEHIND + 1 });
      expect(told?.seconds).toBeGreaterThanOrEqual(5);
      const { status, ready, unseen, partitions } = await readiness(origin);
      expect([status, ready]).toEqual([200, true]);
      expect(unseen).toEqual([
        expect.stringMatching(/^held\/0: a transaction .* holds back 101 records from 1 on, for \d+ s$/),
      ]);
      expect(partitions.map(({ partition, lag, heldBack }) => [partition, lag, heldBack?.records])).toEqual([
        [0, 0, BEHIND + 1],
        [1, 0, undefined],
      ]);
      expect(await gauge(origin, "records", `topic="${topic}",partition="0"`)).toBe(BEHIND + 1);
      expect(await gauge(origin, "seconds", `topic="${topic}",partition="0"`)).toBeGreaterThanOrEqual(5);
      expect(await gauge(origin, "records", `topic="${topic}",partition="1"`)).toBe(0);
    }
    expect(subscriber.updates).toHaveLength(1);

    await hanging.commit();
    await subscriber.until(({ updates }) => updates.length === 1 + BEHIND, "what was held back");

    expect(subscriber.updates.map(({ value }) => Number(value))).toEqual(range(0, BEHIND + 1));
    for (const origin of origins) {
      await eventually(() => eventsOf(origin, "records_let_go")[0], "it is over");
      expect(await readiness(origin)).toMatchObject({ unseen: [] });
      expect(await gauge(origin, "seconds", `topic="${topic}",partition="0"`)).toBe(0);
    }
    await subscriber.close();
  });
});
