/** Lines as they are in the field: throttled, cut, slow, refused. Reading goes on, and costs a broker little meanwhile. */
import { randomUUID } from "node:crypto";
import type { Admin, Kafka } from "kafkajs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { examineKafka } from "../../../origin/doctor/kafka.ts";
import type { Limits } from "../../../origin/kafka/settings.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { isAvailable } from "../../../origin/source/source.ts";
import { readStreams } from "../../../shared/config/streams.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { Dials } from "../../support/dials.ts";
import { Following } from "../../support/following.ts";
import { setQuotas } from "../../support/kafka-accounts.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { ifLong, LONG } from "../../support/long.ts";
import { partitionsOf, Reading } from "../../support/reading.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

const KB = 1_000;
const CLIENT = "test";
/** Of reads that a broker is away from, for as long as a test lets it. */
const PATIENCE_MS = 2_000;

describeWithKafka("a line to a broker that is", () => {
  let kafka: KafkaBroker;
  let proxy: TcpProxy;
  let client: Kafka;
  let admin: Admin;
  let source: KafkaSource;
  let readings: Reading[] = [];

  beforeAll(async () => {
    proxy = await TcpProxy.open();
    kafka = await KafkaBroker.start({ proxies: [proxy.port], misadvertised: "name" });
    proxy.target = kafka.behindProxies[0];
    client = kafka.client();
    admin = client.admin();
    await admin.connect();
  });
  afterEach(async () => {
    for (const reading of readings) reading.abort();
    await Promise.allSettled(readings.map(({ ended }) => ended));
    readings = [];
    await source.close();
    proxy.bytesPerSecond = undefined;
    proxy.target = kafka.behindProxies[0];
  });
  afterAll(async () => {
    await admin?.disconnect();
    await kafka?.stop();
    await proxy?.close();
  });

  const newSource = (limits: Partial<Limits> = {}) => {
    source = new KafkaSource({ brokers: [`127.0.0.1:${proxy.port}`], clientId: CLIENT, limits });
    return source;
  };

  const limit = (bytesPerSecond: number | undefined) =>
    setQuotas(kafka.brokers, [CLIENT], { consumer_byte_rate: bytesPerSecond });

  /** A topic whose partitions hold so many records of this size each, each in a batch of its own. */
  async function newTopic(partitions: number, count = 0, bytes = 0): Promise<string> {
    const topic = `lines-${randomUUID()}`;
    await createTopic(admin, topic, partitions);
    await write(topic, partitions, count, bytes);
    return topic;
  }

  async function write(topic: string, partitions: number, count: number, bytes: number): Promise<void> {
    const producer = client.producer();
    await producer.connect();
    const value = Buffer.alloc(bytes, "x");
    for (const _ of range(0, count)) {
      const messages = range(0, partitions).map((partition) => ({ partition, value }));
      await producer.send({ topic, messages });
    }
    await producer.disconnect();
  }

  async function readAll(topic: string): Promise<readonly Reading[]> {
    const infos = await partitionsOf(newSource(), topic);
    readings = infos.map(({ partition, epoch }) => new Reading(source, { topic, partition, epoch, from: 0 }));
    return readings;
  }

  const read = () => readings.reduce((sum, { records }) => sum + records.length, 0);
  /** All of them, once and in order. */
  async function expectAll(count: number): Promise<void> {
    const whole = eventually(() => read() === readings.length * count, "all is read", 120_000);
    // None may have ended before.
    await Promise.race([whole, ...readings.map(({ ended }) => ended.then(() => whole))]);
    for (const { offsets } of readings) expect(offsets).toEqual(range(0, count));
  }

  test("throttled for the time that its requests take is connected to and described", {
    timeout: 120_000,
  }, async () => {
    const topic = await newTopic(1);
    // Less than any takes: even who only connects is throttled.
    await setQuotas(kafka.brokers, [CLIENT], { request_percentage: 0.001 });
    try {
      for (const _ of range(0, 2)) {
        const described = await newSource().describe(topic);
        expect(described?.map(isAvailable)).toEqual([true]);
        await source.close();
      }
    } finally {
      await setQuotas(kafka.brokers, [CLIENT], { request_percentage: undefined });
    }
  });

  test("advertised by a name that only resolves elsewhere fails by that name, which doctor says too", async () => {
    const topic = await newTopic(1);
    const { broker = "", advertised = "" } = kafka.misadvertised ?? {};
    const settings = { brokers: [broker], clientId: CLIENT };
    source = new KafkaSource(settings);

    const described = await source.describe(topic);

    expect(described).toMatchObject([
      { partition: 0, unavailable: expect.stringContaining(advertised.split(":", 1).join()) },
    ]);
    const read = readStreams({ streams: { [topic]: { title: topic, subscribe: "public" } } });
    const said: string[] = [];
    for await (const { verdict, says, todo } of examineKafka(
      settings,
      read.ok ? read.streams : undefined,
      "test",
    ))
      said.push(`${verdict} ${says} → ${todo}`);
    expect(said.slice(0, 2)).toEqual([
      expect.stringMatching(/^ok answers/),
      expect.stringMatching(
        /^wrong this name can't be resolved here .* → correct the broker's advertised\.listeners/,
      ),
    ]);
  });

  test("throttled, and cut again and again meanwhile, is read on", { timeout: 180_000 }, async () => {
    const topic = await newTopic(8, 20, 50 * KB);
    await limit(1_000 * KB);
    try {
      await readAll(topic);
      for (const _ of range(0, 4)) {
        const before = read();
        await eventually(() => read() > before, "more is read", 60_000);
        proxy.cut();
      }

      await expectAll(20);
    } finally {
      await limit(undefined);
    }
  });

  type Slow = [what: string, partitions: number, count: number, bytes: number];
  test.each<Slow>([
    ...ifLong<Slow>(["what 8 partitions hold takes longer than any answer may be silent", 8, 20, 10 * KB]),
    ["a batch does, which comes whole however little is asked for", 1, 1, 800 * KB],
  ])("so slow that %s is read on", { timeout: 180_000 }, async (_, partitions, count, bytes) => {
    const topic = await newTopic(partitions, count, bytes);
    proxy.bytesPerSecond = 100 * KB;

    await readAll(topic);

    expect(readings).toHaveLength(partitions);
    await expectAll(count);
  });

  if (LONG)
    test("so slow that what brokers say of 300 partitions takes longer than they may be silent is described", {
      timeout: 120_000,
    }, async () => {
      const topic = await newTopic(300);
      newSource();
      proxy.bytesPerSecond = KB;

      const described = await source.describe(topic);

      expect(described?.filter(isAvailable)).toHaveLength(300);
    });

  test("no longer trusted, since a read over it hung, is made anew, and the other reads go on over it", async () => {
    const topic = await newTopic(2, 1, 10);
    const [first, second] = await partitionsOf(newSource(), topic);
    if (first === undefined || second === undefined) throw new Error("there are two partitions");
    const before = new Reading(source, { topic, partition: 0, epoch: first.epoch, from: 0 });
    readings = [before];
    await before.reaches(1);
    const dials = new Dials(proxy.port);

    const anew = new Reading(source, { topic, partition: 1, epoch: second.epoch, from: 0, anew: true });
    readings = [before, anew];
    await anew.reaches(1);
    await write(topic, 2, 1, 10);
    await Promise.all([before.reaches(2), anew.reaches(2)]);
    dials.stop();

    expect(dials.at.length).toBeGreaterThanOrEqual(2);
  });

  describe("gone, with 120 partitions,", () => {
    type Gone = [how: string, goes: () => unknown, comesBack: () => unknown];
    test.each<Gone>([
      ...ifLong<Gone>(["refuses", () => proxy.refuse(), () => proxy.listen()]),
      [
        "resets every connection",
        () => {
          proxy.target = undefined;
          proxy.cut();
        },
        () => {
          proxy.target = kafka.behindProxies[0];
        },
      ],
    ])(
      "and %s, is dialled twice a second at most, and all of them are read on once it is back",
      {
        timeout: 120_000,
      },
      async (_, goes, comesBack) => {
        const topic = await newTopic(120);
        const following = new Following(newSource({ patienceMs: PATIENCE_MS }), topic, "usual");
        const isReadTo = (offset: number) =>
          eventually(
            () =>
              range(0, 120).every((number) => {
                const partition = following.partition(number);
                return (
                  partition?.stage.kind === "ready" &&
                  partition.next === offset &&
                  partition.trouble === undefined
                );
              }),
            `all are read to ${offset}`,
            60_000,
          );
        await isReadTo(0);
        const dials = new Dials(proxy.port);

        await goes();
        await eventually(() => following.partition(119)?.trouble, "it is in error", 60_000);
        await eventually(
          () => following.recorded.of("still_failing").length > 240,
          "again and again",
          60_000,
        );
        await eventually(() => dials.at.length > 10, "dials enough to tell");
        dials.stop();
        await write(topic, 120, 1, 10);
        await comesBack();
        const cameBack = performance.now();
        await isReadTo(1);

        console.info(`${dials.at.length} dials; back after ${Math.round(performance.now() - cameBack)} ms`);
        await following.stop();
        expect(dials.at.length).toBeGreaterThan(10);
        expect(dials.perSecond).toBeLessThanOrEqual(2);
        expect(following.recorded.of("partition_failed").length).toBeLessThan(10);
      },
    );
  });
});
