/** One publish is one record, whatever dies or is lost between: on a real Kafka. */
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { FenceTimes } from "../../../origin/kafka/keep-fenced.ts";
import { WRITE_ERROR } from "../../../origin/kafka/produce-requests.ts";
import type { KafkaSource } from "../../../origin/kafka/source.ts";
import type { TopicPublish } from "../../../origin/publish/publisher.ts";
import type { PublishResult } from "../../../origin/publish/result.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { range, recordOf } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { type KafkaVersion, OLD_VERSION, OLDEST_VERSION } from "../../support/kafka-classpath.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { createPlacedTopic } from "../../support/kafka-topics.ts";
import { ifLong } from "../../support/long.ts";
import { PUBLISH_ID, publishingWorld } from "../../support/publishing-world.ts";
import { RawWriter } from "../../support/raw-writer.ts";
import { codeOf, publishOf, recordsIn } from "../../support/sink-contract.ts";
import { describeWithKafka, describeWithKafkaOf } from "../../support/with-kafka.ts";

const DEADLINE_MS = 120_000;

type World = ReturnType<typeof publishingWorld>;

const numberedPublish = (topic: string, i: number): TopicPublish =>
  publishOf(topic, {
    value: Buffer.from(String(i)),
    deadline: performance.now() + DEADLINE_MS,
  });

/** Each is there once, where its answer says, and in order. */
async function expectOnce(source: KafkaSource, topic: string, answers: readonly PublishResult[]) {
  const records = await recordsIn(source, topic);
  const values = records.map(({ value }) => String(value && Buffer.from(value)));
  expect(new Set(answers.map(codeOf))).toEqual(new Set(["published"]));
  expect(values).toEqual(answers.map((_, i) => String(i)));
  const [info] = (await source.describe(topic)) ?? [];
  expect(answers).toEqual(records.map(({ offset }) => ({ position: `${info?.epoch}:${offset}` })));
}

describeWithKafka("publishing to Kafka 4.3:", () => {
  const own = publishingWorld();

  describe("whose answers get lost:", () => {
    answersGetLost(own);
    brokerIsKilled(own);
  });
  describe("beside its other clients:", () => besideOthers(own));
});

for (const version of ifLong<KafkaVersion>(OLD_VERSION, OLDEST_VERSION, "3.0.2"))
  await describeWithKafkaOf(version, `publishing to Kafka ${version}:`, () => {
    // Where there is ZooKeeper, one that is killed may not come back until its session there is over.
    const own = publishingWorld({ old: version });

    answersGetLost(own);
    besideOthers(own);
  });

function answersGetLost(own: World): void {
  test("a batch that was appended but not answered is one record, and what follows it comes after it", async () => {
    const topic = await own.newTopic();
    const publisher = own.open("proxy");
    const answers: Promise<PublishResult>[] = [publisher.publish(numberedPublish(topic, 0))];
    await answers[0];

    for (let round = 0; round < 6; round++) {
      const before = (await recordsIn(own.source, topic)).length;
      // Requests take so long, and answers too: what is appended meanwhile is cut off before its answer comes.
      own.proxy.delayMs = 300;
      for (let i = 0; i < 20; i++) answers.push(publisher.publish(numberedPublish(topic, answers.length)));
      await eventually(
        async () => (await recordsIn(own.source, topic)).length > before,
        "something is appended",
      );
      own.proxy.cut();
      own.proxy.delayMs = 0;
      await Promise.all(answers);
    }

    await expectOnce(own.source, topic, await Promise.all(answers));
  }, 180_000);
}

function brokerIsKilled(own: World): void {
  test("a broker that is killed and comes back has each publish once", async () => {
    const topic = await own.newTopic();
    const publisher = own.open("proxy");
    const answers: Promise<PublishResult>[] = [publisher.publish(numberedPublish(topic, 0))];
    await answers[0];

    for (let round = 0; round < 2; round++) {
      own.proxy.delayMs = 100;
      for (let i = 0; i < 30; i++) {
        answers.push(publisher.publish(numberedPublish(topic, answers.length)));
        if (i % 10 === 9) await setTimeout(50);
      }
      await own.kafka.kill();
      own.proxy.delayMs = 0;
      await own.kafka.restart();
      await Promise.all(answers);
    }

    await expectOnce(own.source, topic, await Promise.all(answers));
  }, 180_000);
}

function besideOthers(own: World): void {
  test("a stranger's open transaction holds up neither taking the partition over nor acknowledgements", async () => {
    const topic = await own.newTopic();
    const producers = new JavaProducers(own.kafka);
    try {
      const before = own.open();
      const request = publishOf(topic);
      const first = await before.publish(request);
      const open = await producers.open({ "transactional.id": randomUUID() });
      await open.begin();
      await open.send(topic, [recordOf(0, "open")]);
      const second = publishOf(topic);
      const held = await before.publish(second);

      const after = own.open();

      expect(codeOf(held)).toBe("published");
      expect(await after.publish(request)).toEqual(first);
      expect(await after.publish(second)).toEqual(held);
      expect(codeOf(await after.publish(publishOf(topic)))).toBe("published");
      await open.commit();
    } finally {
      await producers.stop();
    }
  });

  test.each([{ "retention.ms": "60000" }, { "cleanup.policy": "compact" }])(
    "a topic with %o takes no id of a client's own, says what to set, and takes other publishes",
    async (configs) => {
      const topic = await own.newTopic(1, configs);
      const publisher = own.open();
      const { id } = publishOf(topic);

      const refused = await publisher.publish(publishOf(topic));
      const taken = await publisher.publish(publishOf(topic, { id: { ...id, chosenBy: "edge" } }));

      expect(refused).toMatchObject({
        error: { code: "id_not_kept", message: expect.stringMatching(/set \S+ms to/) },
      });
      expect(codeOf(taken)).toBe("published");
      expect(await recordsIn(own.source, topic)).toHaveLength(1);
    },
  );

  test.each(["gzip", "zstd"] as const)(
    "batches compressed with %s are read back by others and by us",
    async (codec) => {
      const topic = await own.newTopic();
      const before = own.open("direct", { codec });
      const requests = range(0, 200).map((i) => publishOf(topic, { value: Buffer.from(`value ${i}`) }));
      const answers = await Promise.all(requests.map((request) => before.publish(request)));

      const after = own.open("direct", { codec });

      expect(await Promise.all(requests.map((request) => after.publish(request)))).toEqual(answers);
      expect(await recordsIn(own.source, topic)).toHaveLength(requests.length);
    },
  );

  test.each([2 * 60_000, -2 * 60_000])(
    "an origin whose clock is %i ms off doesn't publish, and says why",
    async (off) => {
      const topic = await own.newTopic();
      const publisher = own.open("direct", { time: () => Date.now() + off });

      const result = await publisher.publish(publishOf(topic));

      expect(result).toMatchObject({
        error: { code: "unavailable", message: expect.stringContaining("clock") },
      });
      expect(await recordsIn(own.source, topic)).toEqual([]);
    },
  );
}

describeWithKafka("publishing to three brokers:", () => {
  const own = publishingWorld({ brokers: 3 }, 3);

  test("a partition whose leader hangs holds up no other, and has each publish once when that goes on", async () => {
    const topic = `faults-${randomUUID()}`;
    const admin = own.kafka.client().admin();
    await admin.connect();
    await createPlacedTopic(admin, topic, [[1], [3]], { "min.insync.replicas": "1" });
    await admin.disconnect();
    const publisher = own.open();
    const keys = [0, 1].map((partition) => {
      const key = range(0, 100).map((i) => Buffer.from(`key ${i}`));
      return key.find((candidate) => partitionOf(candidate, 2) === partition) ?? Buffer.alloc(0);
    });
    const publishTo = (partition: number) =>
      publisher.publish(
        publishOf(topic, {
          key: keys[partition] ?? Buffer.alloc(0),
          deadline: performance.now() + DEADLINE_MS,
        }),
      );
    expect((await Promise.all([publishTo(0), publishTo(1)])).map(codeOf)).toEqual(["published", "published"]);

    own.kafka.freeze(3, true);
    let isHeld = true;
    const held = Promise.all(range(0, 50).map(() => publishTo(1))).finally(() => {
      isHeld = false;
    });
    try {
      for (let i = 0; i < 200; i++) expect(codeOf(await publishTo(0))).toBe("published");
      expect(isHeld).toBe(true);
    } finally {
      own.kafka.freeze(3, false);
    }

    expect(new Set((await held).map(codeOf))).toEqual(new Set(["published"]));
    expect(await recordsIn(own.source, topic, 1)).toHaveLength(51);
    expect(await recordsIn(own.source, topic, 0)).toHaveLength(201);
  }, 240_000);

  test("leaders that are killed one after the other have each publish once, in order", async () => {
    const topic = await own.newTopic(1);
    const publisher = own.open();
    const answers: Promise<PublishResult>[] = [publisher.publish(numberedPublish(topic, 0))];
    await answers[0];

    for (const id of [1, 2, 3]) {
      for (let i = 0; i < 100; i++) {
        answers.push(publisher.publish(numberedPublish(topic, answers.length)));
        if (i % 10 === 9) await setTimeout(10);
        if (i === 50) await own.kafka.kill(id);
      }
      await own.kafka.restart(id);
      await Promise.all(answers);
    }

    await expectOnce(own.source, topic, await Promise.all(answers));
  }, 300_000);
});

describeWithKafka("publishing to a Kafka that forgets soon:", () => {
  const EXPIRY_MS = 3_000;
  const fenceTimes: FenceTimes = { againMs: 500, oldMs: 60_000 };
  const own = publishingWorld({
    config: {
      "producer.id.expiration.ms": EXPIRY_MS,
      "producer.id.expiration.check.interval.ms": 500,
      "transactional.id.expiration.ms": EXPIRY_MS,
      "transaction.remove.expired.transaction.cleanup.interval.ms": 500,
    },
  });

  test("a fence that is repeated outlives what the broker forgets, and what follows goes on", async () => {
    const [topic, other] = [await own.newTopic(), await own.newTopic()];
    const writers = [new RawWriter(own.direct(), topic), new RawWriter(own.direct(), other)] as const;
    const [before, control] = writers;
    try {
      const id = `${PUBLISH_ID}.${Buffer.from(await before.topicId()).toString("base64url")}.0`;
      const late = await before.fence(id);
      const forgotten = await control.fence("control");
      await control.fence("control");
      const publisher = own.open("direct", { fenceTimes });
      await publisher.publish(publishOf(topic));

      await eventually(async () => {
        await setTimeout(500);
        const { error } = await control.produce({ ...forgotten, sequence: 0 }, ["late"]);
        return error === WRITE_ERROR.none;
      }, "a fence that is not repeated is forgotten");

      expect(await before.produce({ ...late, sequence: 0 }, ["late"])).toMatchObject({
        error: WRITE_ERROR.invalidProducerEpoch,
      });
      expect(codeOf(await publisher.publish(publishOf(topic)))).toBe("published");
      expect(await recordsIn(own.source, topic)).toHaveLength(2);
    } finally {
      for (const writer of writers) writer.close();
    }
  });

  test("after Kafka has given the id another producer, nothing is published while an older one may come", async () => {
    const topic = await own.newTopic();
    const raw = new RawWriter(own.direct(), topic);
    try {
      const before = own.open();
      await before.publish(publishOf(topic));
      const [fence] = await raw.marks();
      const id = `${PUBLISH_ID}.${Buffer.from(await raw.topicId()).toString("base64url")}.0`;
      await eventually(async () => {
        await setTimeout(2 * EXPIRY_MS);
        return (await raw.init(id)).producerId !== fence?.producerId;
      }, "the id has expired");

      for (let tries = 0; tries < 2; tries++) {
        const after = own.open();
        expect(await after.publish(publishOf(topic))).toMatchObject({
          error: { code: "unavailable", message: expect.stringContaining("forgot") },
        });
      }

      expect(await recordsIn(own.source, topic)).toHaveLength(1);
    } finally {
      raw.close();
    }
  });

  test("a writer whose fence is too old takes it anew before it writes on", async () => {
    const topic = await own.newTopic();
    const publisher = own.open("direct", { fenceTimes: { againMs: 100, oldMs: -1 } });
    const raw = new RawWriter(own.direct(), topic);
    try {
      await publisher.publish(publishOf(topic));
      const marks = (await raw.marks()).length;
      await eventually(async () => (await raw.marks()).length > marks, "the fence was repeated");

      const [first] = await raw.marks();
      expect(codeOf(await publisher.publish(publishOf(topic)))).toBe("published");

      expect((await raw.marks()).at(-1)?.producerEpoch).toBeGreaterThan(first?.producerEpoch ?? Number.NaN);
    } finally {
      raw.close();
    }
  });
});
