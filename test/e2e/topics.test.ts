/** Topics as they are: compacted, short-lived, of one partition and of many, and created while all runs. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Admin } from "kafkajs";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { KafkaSource } from "../../origin/kafka/source.ts";
import { isAvailable } from "../../origin/source/source.ts";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { range, recordOf, text } from "../support/contract-records.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../support/kafka-producer.ts";
import { configure, createTopic, deleteTopic } from "../support/kafka-topics.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import { partitionsOf, Reading } from "../support/reading.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

const HOUR = 3_600_000;
const KEYS = range(0, 120).map((i) => `key-${i}`);

describeWithKafka("topics of a real Kafka:", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let producer: JavaProducer;
  let admin: Admin;
  let source: KafkaSource;
  let deployment: Deployment;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({
      config: {
        "log.cleaner.backoff.ms": 100,
        "log.retention.check.interval.ms": 200,
        "log.initial.task.delay.ms": 100,
      },
    });
    producers = new JavaProducers(kafka);
    producer = await producers.open();
    admin = kafka.client().admin();
    await admin.connect();
    source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    for (const [topic, partitions] of [
      ["one", 1],
      ["fifty", 50],
    ] as const) {
      await createTopic(admin, topic, partitions);
      const records = KEYS.map((key) =>
        recordOf(partitionOf(text(key), partitions), key, { key: text(key) }),
      );
      await producer.send(topic, [...records, ...range(0, 3).map(() => recordOf(0, "", { key: null }))]);
    }
    await createTopic(admin, "timed", 1);
    await producer.send("timed", [
      recordOf(0, "old", { key: text("old"), timestamp: Date.now() - 2 * HOUR }),
      recordOf(0, "young", { key: text("young"), timestamp: Date.now() - HOUR / 2 }),
    ]);
    await writeCompacted();
    for (const topic of ["moved", "short", "secret"]) await createTopic(admin, topic, 3);
    deployment = await Deployment.start({
      topics: {
        one: {},
        fifty: {},
        timed: { stream: { start: "1h" } },
        compacted: { stream: { compacted: true, window: { seconds: 60 } } },
        moved: {},
        short: {},
        "live.*": { stream: { start: "latest" } },
      },
      originEnv: { KAFKA_BROKERS: kafka.bootstrap },
    });
  });
  afterAll(async () => {
    await deployment?.stop();
    await source?.close();
    await admin?.disconnect();
    await producers?.stop();
    await kafka?.stop();
  });

  /** Keys of long ago, of which compaction left the latest record each. */
  async function writeCompacted(): Promise<void> {
    await createTopic(admin, "compacted", 1, {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.01",
    });
    const longAgo = Date.now() - 90 * 24 * HOUR;
    const old = (key: string, value: string, overrides = {}) =>
      recordOf(0, value, { key: text(key), timestamp: longAgo, ...overrides });
    const first = [...["first", "second", "last"].map((value) => old("old", value)), old("deleted", "there")];
    await producer.send("compacted", [...first, old("deleted", "", { value: null })]);
    await eventually(async () => {
      await producer.send("compacted", [recordOf(0, "1", { key: text("busy"), timestamp: Date.now() })]);
      const [info] = await partitionsOf(source, "compacted");
      const { epoch = "", endOffset = 0 } = info ?? {};
      const reading = new Reading(source, { topic: "compacted", partition: 0, epoch, from: 0 });
      await reading.reaches(endOffset);
      await reading.stop();
      return reading.offsets[0] === 2 && reading.offsets[1] === 4;
    }, "compaction took all but the latest");
  }

  async function get(path: string, url = deployment.url) {
    const response = await fetch(url + path);
    return { status: response.status, etag: response.headers.get("etag") ?? "", body: await response.text() };
  }
  async function refusal(path: string): Promise<unknown[]> {
    const { status, body } = await get(path);
    return [status, (JSON.parse(body) as { error: { code: string } }).error.code];
  }

  function subscribe(path: string, from?: string): RawSubscriber {
    const subscriber = deployment.subscribe(path, from);
    onTestFinished(() => subscriber.close());
    return subscriber;
  }
  const valuesOf = ({ updates }: RawSubscriber) => updates.map(({ value }) => String(value));

  /** What the origin has said of one kind of event. */
  const told = (event: string): Record<string, unknown>[] =>
    (deployment.origin?.output ?? "")
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event);

  test.each([
    ["one", 1],
    ["fifty", 50],
  ])(
    "every key of the topic %s, of %i partitions, is there, and is followed",
    async (topic, partitions) => {
      const answers = await Promise.all(KEYS.map((key) => get(`/${topic}/${key}`)));
      expect(answers.map(({ body }) => body)).toEqual(KEYS);
      expect(new Set(answers.map(({ etag }) => etag.split(":")[0])).size).toBeGreaterThanOrEqual(
        Math.min(partitions, 40),
      );

      const followed = KEYS.slice(0, 20).map((key) => ({ key, subscriber: subscribe(`/${topic}/${key}`) }));
      await Promise.all(followed.map(({ subscriber }) => subscriber.verdict()));
      const records = followed.map(({ key }) =>
        recordOf(partitionOf(text(key), partitions), "next", { key: text(key) }),
      );
      await producer.send(topic, records);

      for (const { key, subscriber } of followed) {
        await subscriber.until(({ updates }) => updates.length === 2, `what follows of ${key}`);
        expect([valuesOf(subscriber), subscriber.violations]).toEqual([[key, "next"], []]);
      }
    },
    60_000,
  );

  test("what there is to read is told before it is read, and of records without a key there is a warning", async () => {
    expect(told("topic_found")).toContainEqual(
      expect.objectContaining({ topic: "fifty", partitions: 50, from: "earliest", records: 123 }),
    );
    expect(told("topic_caught_up")).toContainEqual(expect.objectContaining({ topic: "fifty", records: 123 }));
    await eventually(() => told("records_without_key").length >= 2, "the warnings");
    expect(told("records_without_key")).toContainEqual(expect.objectContaining({ topic: "fifty", count: 3 }));
  }, 60_000);

  test("of a topic that is read from a time back, a key with younger records is there, and an older one is not", async () => {
    expect((await get("/timed/young")).body).toBe("young");
    expect(await refusal("/timed/old")).toEqual([404, "unknown_key"]);
    expect(told("topic_found")).toContainEqual(
      expect.objectContaining({ topic: "timed", from: "1h", records: 1 }),
    );
  });

  test("[H3] of a compacted topic the latest record of a key is there, however long ago, and so is that it was deleted", async () => {
    const [info] = await partitionsOf(source, "compacted");
    expect(await get("/compacted/old")).toEqual({ status: 200, etag: `"${info?.epoch}:2"`, body: "last" });
    expect(await refusal("/compacted/deleted")).toEqual([404, "deleted"]);

    const subscriber = subscribe("/compacted/old");
    await subscriber.until(({ updates }) => updates.length === 1, "the latest record");
    const deleted = subscribe("/compacted/deleted");
    await deleted.until(({ updates }) => updates.length === 1, "the tombstone");
    await producer.send("compacted", [recordOf(0, "new", { key: text("old") })]);
    await subscriber.until(({ updates }) => updates.length === 2, "what follows");

    expect(valuesOf(subscriber)).toEqual(["last", "new"]);
    expect(deleted.updates.map(({ value }) => value)).toEqual([null]);
    expect(subscriber.violations).toEqual([]);
  }, 60_000);

  test("[P2] [R3] a key that is in two partitions has both records, and a position of two components that resumes, also at an origin that knew nothing", async () => {
    const write = (partition: number, value: string) =>
      producer.send("moved", [recordOf(partition, value, { key: text("k") })]);
    const subscriber = subscribe("/moved/k");
    await subscriber.verdict();
    await write(0, "a");
    await subscriber.until(({ updates }) => updates.length === 1, "the first");
    await write(2, "b");
    await subscriber.until(({ updates }) => updates.length === 2, "the one in another partition");
    const infos = await partitionsOf(source, "moved");
    const both = `${infos[0]?.epoch}:0,${infos[2]?.epoch}:0`;
    expect(subscriber.position).toBe(both);
    expect(await get("/moved/k")).toEqual({ status: 200, etag: `"${both}"`, body: "b" });

    await subscriber.close();
    await write(0, "c");
    await write(2, "d");
    const resumed = subscribe("/moved/k", both);
    await resumed.until(({ updates }) => updates.length === 2, "what was missed");
    expect(resumed.verdicts).toMatchObject([{ recovered: true, position: both }]);
    expect([valuesOf(resumed).toSorted(), resumed.violations]).toEqual([["c", "d"], []]);

    // Positions are the log's, not those of an origin: one that has lost its index is as good as another one.
    const before = await get("/moved/k");
    await deployment.origin?.stop();
    for (const suffix of ["", "-wal"])
      rmSync(join(deployment.dataDir, "origin", `index.db${suffix}`), { force: true });
    deployment.origin = deployment.startOrigin();
    await eventually(async () => (await get("/moved/k")).etag === before.etag, "the same position");
    await write(2, "e");
    const again = subscribe("/moved/k", both);
    await again.until(({ updates }) => updates.length === 3, "what was missed");
    expect(again.verdicts).toMatchObject([{ recovered: true, position: both }]);
    await resumed.until(({ updates }) => updates.length === 3, "what came later");
    expect([resumed.resets, resumed.violations, again.violations]).toEqual([[], [], []]);
  }, 60_000);

  test("[R4] [S5] where retention took what comes next while the origin was down, subscribers are told, and all goes on", async () => {
    const keep = (ms: string) => configure(admin, "short", { "retention.ms": ms });
    const write = (...values: readonly string[]) =>
      producer.send(
        "short",
        values.map((value) => recordOf(1, value, { key: text("k"), timestamp: Date.now() })),
      );
    const subscriber = subscribe("/short/k");
    await subscriber.verdict();
    await write("a", "b");
    await subscriber.until(({ updates }) => updates.length === 2, "what was there before");

    await deployment.origin?.stop();
    await write("lost");
    await keep("1");
    await eventually(
      async () => (await source.describe("short"))?.filter(isAvailable)[1]?.startOffset === 3,
      "it is dropped",
    );
    await keep(String(24 * HOUR));
    await write("c");
    deployment.origin = deployment.startOrigin();
    await subscriber.until(({ resets }) => resets.length === 1, "the word that something is lost");
    await write("d");
    await subscriber.until(({ updates }) => updates.length === 4, "what is still there, and what follows");

    expect(subscriber.resets).toMatchObject([{ cause: "horizon" }]);
    expect([valuesOf(subscriber), subscriber.violations]).toEqual([["a", "b", "c", "d"], []]);
    expect(told("partition_hole")).toMatchObject([{ topic: "short", partition: 1, why: "hole", next: 3 }]);
    expect((await get("/short/k")).body).toBe("d");
  }, 60_000);

  test("[H4] topics that match a pattern are exposed, found while all runs, read from their beginning, and dropped when they go", async () => {
    expect(await refusal("/secret/k")).toEqual([404, "unknown_topic"]);
    expect(await refusal("/__consumer_offsets/k")).toEqual([404, "unknown_topic"]);
    await deployment.ready();
    expect(await refusal("/live.new/k")).toEqual([404, "unknown_key"]);
    const listed = (await (await fetch(`${deployment.url}/$/streams`)).json()) as {
      streams: { topic: string }[];
    };
    expect(listed.streams.map(({ topic }) => topic)).toContain("live.*");
    const subscriber = subscribe("/live.new/k");
    await subscriber.verdict();

    await createTopic(admin, "live.new", 2);
    await producer.send(
      "live.new",
      range(0, 5).map((i) => recordOf(1, String(i), { key: text("k") })),
    );
    await subscriber.until(({ updates }) => updates.length === 5, "all of the new topic");
    expect([valuesOf(subscriber), subscriber.violations, subscriber.resets]).toEqual([
      ["0", "1", "2", "3", "4"],
      [],
      [],
    ]);
    expect((await get("/live.new/k")).body).toBe("4");

    await deleteTopic(admin, "live.new");
    await subscriber.until(({ resets }) => resets.length === 1, "the word that the topic has gone");
    expect(subscriber.resets).toMatchObject([{ cause: "epoch" }]);
    expect(await refusal("/live.new/k")).toEqual([404, "unknown_key"]);
  }, 60_000);
});
