/** What Kafka no longer holds: compaction and DeleteRecords, seen or not by the origin while they were at work. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CompressionTypes } from "kafkajs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { KafkaSource } from "../../origin/kafka/source.ts";
import { recordOf, text } from "../support/contract-records.ts";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment } from "../support/deployment.ts";
import { KafkaBroker } from "../support/kafka-broker.ts";
import { type JavaProducer, JavaProducers } from "../support/kafka-producer.ts";
import { createTopic, trim } from "../support/kafka-topics.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import { partitionsOf, Reading } from "../support/reading.ts";
import { describeWithKafka } from "../support/with-kafka.ts";

/** What is compacted is gone in a second or so, tombstones too. */
const COMPACTED = {
  "cleanup.policy": "compact",
  "segment.ms": "100",
  "min.cleanable.dirty.ratio": "0.001",
  "delete.retention.ms": "100",
};
const TOPICS = {
  kept: { stream: { compacted: true } },
  recent: {},
  stopped: { stream: { compacted: true } },
  stood: { stream: { compacted: true } },
  erased: {},
  "erased-kept": { stream: { compacted: true } },
  unpacked: {},
};
const MEGABYTE = 1024 * 1024;
const SECRET = "what nobody shall find again";

describeWithKafka("what a real Kafka no longer holds:", () => {
  let kafka: KafkaBroker;
  let producers: JavaProducers;
  let producer: JavaProducer;
  let source: KafkaSource;
  let deployment: Deployment;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({
      config: { "log.cleaner.backoff.ms": 100, "log.initial.task.delay.ms": 100 },
    });
    producers = new JavaProducers(kafka);
    producer = await producers.open();
    source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    const admin = kafka.client().admin();
    await admin.connect();
    for (const topic of Object.keys(TOPICS))
      await createTopic(
        admin,
        topic,
        1,
        ["erased", "erased-kept", "unpacked"].includes(topic) ? {} : COMPACTED,
      );
    await admin.disconnect();
    for (const topic of ["kept", "recent", "stopped", "stood"]) {
      await write(topic, "gone", "1");
      await write(topic, "changed", "1");
    }
    deployment = await Deployment.start({ topics: TOPICS, originEnv: { KAFKA_BROKERS: kafka.bootstrap } });
  });
  afterAll(async () => {
    await deployment?.stop();
    await source?.close();
    await producers?.stop();
    await kafka?.stop();
  });

  /** Resolves to its offset. */
  async function write(topic: string, key: string, value: string | null): Promise<number | undefined> {
    const [offset] = await producer.send(topic, [
      recordOf(0, value ?? "", { key: text(key), timestamp: Date.now(), ...(value === null && { value }) }),
    ]);
    return offset;
  }

  /** One key is deleted, the other changes twice, and compaction takes the tombstone and all but the last change. */
  async function compactAway(topic: string): Promise<void> {
    await write(topic, "gone", null);
    await write(topic, "changed", "2");
    const last = await write(topic, "changed", "3");
    await eventually(async () => {
      await write(topic, "other", "1");
      const [info] = await partitionsOf(source, topic);
      const { epoch = "", endOffset = 0 } = info ?? {};
      const reading = new Reading(source, { topic, partition: 0, epoch, from: 0 });
      await reading.reaches(endOffset);
      await reading.stop();
      return reading.offsets[0] === last;
    }, `compaction took all but the latest of ${topic}`);
  }

  async function get(path: string) {
    const response = await fetch(deployment.url + path);
    const body = await response.text();
    const code = response.ok ? body : (JSON.parse(body) as { error: { code: string } }).error.code;
    return { status: response.status, etag: (response.headers.get("etag") ?? "").slice(1, -1), code };
  }

  /** What GETs are answered until one is what is expected: nothing but that the source isn't ready. */
  async function becomes(path: string, code: string): Promise<void> {
    const others = new Set<string>();
    await eventually(async () => {
      const answer = await get(path);
      if (answer.code !== code) others.add(answer.code);
      return answer.code === code;
    }, `${path} is answered with ${code}`);
    expect([...others].filter((other) => other !== "unavailable")).toEqual([]);
  }

  function subscribe(path: string, from?: string): RawSubscriber {
    const subscriber = deployment.subscribe(path, from);
    onTestFinished(() => subscriber.close());
    return subscriber;
  }
  const valuesOf = ({ updates }: RawSubscriber) => updates.map(({ value }) => value && String(value));

  const told = (event: string, origin: Child | undefined = deployment.origin): Record<string, unknown>[] =>
    (origin?.output ?? "")
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event);

  describe.each(["kept", "recent"])("of the compacted topic %s", (topic) => {
    test("[R8] [S5] a key whose tombstone went while the origin was down is gone, a changed one is there, and who missed something is told", async () => {
      const [gone, changed] = [await get(`/${topic}/gone`), await get(`/${topic}/changed`)];
      expect([gone.code, changed.code]).toEqual(["1", "1"]);
      const live = subscribe(`/${topic}/changed`);
      await live.until(({ updates }) => updates.length === 1, "what was there before");
      await deployment.origin?.stop();
      await compactAway(topic);

      deployment.origin = deployment.startOrigin();
      await live.until(({ resets }) => resets.length > 0, "the word that something is lost");

      await live.until(({ updates }) => updates.length > 1, "what is there now");
      expect([live.resets.map(({ cause }) => cause), valuesOf(live)]).toEqual([["horizon"], ["1", "3"]]);
      await becomes(`/${topic}/gone`, "unknown_key");
      expect((await get(`/${topic}/changed`)).code).toBe("3");
      for (const [path, from, values] of [
        [`/${topic}/changed`, changed.etag, ["3"]],
        [`/${topic}/gone`, gone.etag, []],
      ] as const) {
        const resumed = subscribe(path, from);
        expect(await resumed.verdict()).toMatchObject({ recovered: false, cause: "horizon" });
        await resumed.until(({ updates }) => updates.length === values.length, "what is there");
        expect([valuesOf(resumed), resumed.violations]).toEqual([values, []]);
      }
      expect(told("partition_hole")).toMatchObject([{ topic, partition: 0, why: "removed" }]);
      // What is proved from the log as it is now: it goes on, and no further than the present is claimed.
      const { etag } = await get(`/${topic}/changed`);
      await write(topic, "changed", "4");
      const next = subscribe(`/${topic}/changed`, etag);
      expect(await next.verdict()).toMatchObject({ recovered: true });
      await next.until(({ updates }) => updates.length === 1, "what follows");
    }, 90_000);
  });

  test("[R8] [S5] what went while a running origin stood still is noticed alike", async () => {
    const live = subscribe("/stopped/changed");
    const gone = subscribe("/stopped/gone");
    await Promise.all([live, gone].map((one) => one.until(({ updates }) => updates.length === 1, "before")));
    deployment.origin?.process.kill("SIGSTOP");
    try {
      // It has asked the broker for what comes next, and has that when it goes on.
      await write("stopped", "other", "0");
      await compactAway("stopped");
    } finally {
      deployment.origin?.process.kill("SIGCONT");
    }

    for (const one of [live, gone])
      await one.until(({ resets }) => resets.length === 1, "the word that something is lost");
    await live.until(({ updates }) => updates.length === 2, "what is there now");

    expect([valuesOf(live), valuesOf(gone)]).toEqual([["1", "3"], ["1"]]);
    await becomes("/stopped/gone", "unknown_key");
    expect(told("partition_hole").at(-1)).toMatchObject({ topic: "stopped", why: "removed" });
  }, 90_000);

  test("[R8] [U13] a standby that was away meanwhile does not bring a deleted key back", async () => {
    const second = deployment.startOrigin("second");
    await eventually(
      () => told("topic_caught_up", second).some(({ topic }) => topic === "stood"),
      "it has read all",
    );
    await second.stop();
    await compactAway("stood");
    await eventually(async () => (await get("/stood/gone")).code === "deleted", "the first has seen it all");

    const again = deployment.startOrigin("second");
    try {
      await eventually(
        () => told("partition_hole", again).some(({ topic }) => topic === "stood"),
        "it notices",
      );
      await deployment.origin?.stop();
      await becomes("/stood/changed", "3");
      expect((await get("/stood/gone")).code).toBe("unknown_key");
    } finally {
      deployment.origin = deployment.startOrigin();
      await again.stop();
    }
  }, 90_000);

  test.each(["erased", "erased-kept"])(
    "[R9] [S5] what DeleteRecords took of the topic %s is served no longer, nor after a restart, is shown to nobody, and leaves the disk",
    async (topic) => {
      await write(topic, "person", SECRET);
      const live = subscribe(`/${topic}/person`);
      await live.until(({ updates }) => updates.length === 1, "the record");
      await eventually(async () => (await get(`/${topic}/person`)).code === SECRET, "it is served");

      await trim(kafka, topic, 0, 1);
      await live.until(({ resets }) => resets.length === 1, "the word that it is gone");

      await becomes(`/${topic}/person`, "unknown_key");
      expect(live.resets).toMatchObject([{ cause: "horizon" }]);
      await deployment.origin?.stop();
      const index = join(deployment.dataDir, "origin", "index.db");
      expect(readFileSync(index).includes(SECRET)).toBe(false);
      deployment.origin = deployment.startOrigin();
      await deployment.ready();
      await becomes(`/${topic}/person`, "unknown_key");
      await write(topic, "person", "another");
      await live.until(({ updates }) => updates.length === 2, "what follows");
      expect([valuesOf(live), live.violations]).toEqual([[SECRET, "another"], []]);
    },
    90_000,
  );

  test("[R4] [S5] a batch that is too large when it is unpacked stops its partition, with the way out, which leads on by itself", async () => {
    await write("unpacked", "k", "before");
    const live = subscribe("/unpacked/k");
    await live.until(({ updates }) => updates.length === 1, "what lies before it");
    const large = kafka.client().producer();
    await large.connect();
    const messages = Array.from({ length: 65 }, () => ({ key: "poison", value: Buffer.alloc(4 * MEGABYTE) }));
    await large.send({ topic: "unpacked", compression: CompressionTypes.GZIP, messages });
    await large.disconnect();
    await write("unpacked", "k", "after");

    const stopped = await eventually(() => told("partition_stopped")[0], "the log names it");
    expect(stopped).toMatchObject({ topic: "unpacked", partition: 0, code: "corrupt" });
    expect(stopped.message).toMatch(/offsets 1 to 65: .* more than 256 MiB .*DeleteRecords up to offset 66/);
    expect((await get("/unpacked/k")).code).toBe("before");
    await trim(kafka, "unpacked", 0, 66);

    await live.until(({ updates }) => updates.length === 2, "what lies behind it");
    // Of what was deleted, and of what was not read.
    expect(new Set(live.resets.map(({ cause }) => cause))).toEqual(new Set(["horizon"]));
    expect([valuesOf(live), live.violations]).toEqual([["before", "after"], []]);
    await becomes("/unpacked/k", "after");
  }, 90_000);
});
