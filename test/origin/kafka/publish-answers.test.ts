/** What a publish is answered when Kafka refuses, and that the next one works: on real brokers. */
import { randomUUID } from "node:crypto";
import { AclOperationTypes, type Admin } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import { setQuotas } from "../../support/kafka-accounts.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import {
  allow,
  allowTransactions,
  createPlacedTopic,
  createTopic,
  deleteTopic,
  forbid,
} from "../../support/kafka-topics.ts";
import { PUBLISH_ID, PUBLISH_SECRET, publishingWorld } from "../../support/publishing-world.ts";
import { RawWriter } from "../../support/raw-writer.ts";
import { codeOf, publishOf, recordsIn, valuesOf } from "../../support/sink-contract.ts";
import { describeWithKafka, describeWithOldKafka } from "../../support/with-kafka.ts";

const SHORT_MS = 2_000;
const LONG_MS = 60_000;

/** Another value each time, to be found in the log or not. */
function attempt(publisher: Publisher, topic: string, deadlineMs = LONG_MS) {
  const value = randomUUID();
  const deadline = performance.now() + deadlineMs;
  const request = publishOf(topic, { value: Buffer.from(value), deadline });
  return publisher.publish(request).then((result) => ({ value, result, code: codeOf(result) }));
}

describeWithKafka("publishing to Kafka without the right:", () => {
  let kafka: KafkaBroker;
  let admin: Admin;
  let publisher: Publisher;

  beforeAll(async () => {
    kafka = await KafkaBroker.start({
      secure: true,
      config: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
      },
    });
    const { security } = kafka;
    if (security === undefined) throw new Error("the broker is not secure");
    admin = kafka.client().admin();
    await admin.connect();
    for (const topic of ["lost", "kept"]) {
      await createTopic(admin, topic, 1);
      for (const operation of RIGHTS) await allow(admin, security.username, operation, topic);
    }
    await allowTransactions(admin, security.username, PUBLISH_ID);
    const { brokers, ca, username, password } = security;
    const sasl = { mechanism: "scram-sha-512", username, password } as const;
    const sink = new KafkaSink({ brokers, clientId: "test", tls: { ca }, sasl }, { publishId: PUBLISH_ID });
    publisher = new Publisher({ sink, marker: new Marker([PUBLISH_SECRET]) });
  });
  afterAll(async () => {
    await publisher?.close();
    await admin?.disconnect();
    await kafka?.stop();
  });

  const RIGHTS = [AclOperationTypes.READ, AclOperationTypes.WRITE, AclOperationTypes.DESCRIBE_CONFIGS];
  const account = () => kafka.security?.username ?? "";
  const becomes = (code: string) =>
    eventually(
      async () => (await attempt(publisher, "lost", SHORT_MS)).code === code,
      `it is ${code}`,
      60_000,
    );

  test.each([
    ["to write", [AclOperationTypes.WRITE]],
    ["even to know of it", RIGHTS],
  ])(
    "without the right %s it is forbidden, others are published to, and it goes on with the right",
    async (_, rights) => {
      await becomes("published");
      for (const right of rights) await forbid(admin, account(), right, "lost");
      await becomes("forbidden");
      expect((await attempt(publisher, "kept")).code).toBe("published");

      for (const right of rights) await allow(admin, account(), right, "lost");
      await becomes("published");
    },
    240_000,
  );
});

describeWithKafka("publishing to three brokers of which one is gone:", () => {
  const own = publishingWorld({ brokers: 3 }, 3);

  test("without enough replicas it is unavailable, and was not published; others are published to", async () => {
    const [few, fine] = [`few-${randomUUID()}`, `fine-${randomUUID()}`];
    const admin = own.kafka.client().admin();
    await admin.connect();
    await createPlacedTopic(admin, few, [[1, 3]], { "min.insync.replicas": "2" });
    await createPlacedTopic(admin, fine, [[1, 2]], { "min.insync.replicas": "1" });
    await admin.disconnect();
    const publisher = own.open();
    for (const topic of [few, fine]) expect((await attempt(publisher, topic)).code).toBe("published");

    await own.kafka.kill(3);
    const refused: string[] = [];
    try {
      await eventually(
        async () => {
          const { code, value } = await attempt(publisher, few, SHORT_MS);
          expect(["unknown", "unavailable"]).toContain(code);
          if (code === "unavailable") refused.push(value);
          return refused.length >= 3;
        },
        "it is unavailable",
        120_000,
      );
      for (const _ of range(0, 10)) expect((await attempt(publisher, fine)).code).toBe("published");
    } finally {
      await own.kafka.restart(3);
    }

    const again = await attempt(publisher, few);
    const values = valuesOf(await recordsIn(own.source, few));
    expect(again.code).toBe("published");
    expect(values.filter((value) => value !== null && refused.includes(value))).toEqual([]);
    expect(values.at(-1)).toBe(again.value);
  }, 240_000);

  test("a broker that throttles is waited for: each publish is one record, in order", async () => {
    const topic = await own.newTopic();
    const publisher = own.open();
    const large = (i: number) => Buffer.from(`${i}`.padEnd(10_000));
    await setQuotas(own.kafka.brokers, ["test"], { producer_byte_rate: 8_000 });
    try {
      const since = performance.now();
      const deadline = since + LONG_MS;
      // What goes together is throttled after it was taken: each round waits for the one before.
      for (const from of [0, 5, 10]) {
        const round = range(from, from + 5).map((i) =>
          publisher.publish(publishOf(topic, { value: large(i), deadline })),
        );
        expect((await Promise.all(round)).map(codeOf)).toEqual(round.map(() => "published"));
      }

      // It was no empty exercise: Kafka looks back for 10 s.
      expect(performance.now() - since).toBeGreaterThan(1_000);
      const values = valuesOf(await recordsIn(own.source, topic));
      expect(values.map(Number)).toEqual(range(0, 15));
    } finally {
      await setQuotas(own.kafka.brokers, ["test"], { producer_byte_rate: undefined });
    }
  }, 120_000);
});

describeWithKafka("a topic of Kafka 4.3 that is deleted and created again:", () => createdAgain());
await describeWithOldKafka("a topic of Kafka 3.9 that is deleted and created again:", () =>
  createdAgain(true),
);

function createdAgain(old?: true): void {
  const own = publishingWorld(old ? { old } : {});

  test("is never acknowledged as the one that it was, though it holds more records; then it is published to", async () => {
    const topic = await own.newTopic();
    const admin = own.kafka.client().admin();
    await admin.connect();
    const publisher = own.open();
    expect((await attempt(publisher, topic)).code).toBe("published");
    const [before] = (await own.source.describe(topic)) ?? [];

    await deleteTopic(admin, topic);
    await createTopic(admin, topic, 1);
    await admin.disconnect();
    const raw = new RawWriter(own.direct(), topic);
    try {
      const unnumbered = { producerId: -1, producerEpoch: -1, sequence: -1 };
      await eventually(
        async () => (await raw.produce(unnumbered, range(0, 50).map(String))).error === 0,
        "others write to it",
      );
    } finally {
      raw.close();
    }
    const [after] = (await own.source.describe(topic)) ?? [];
    expect(after?.epoch).not.toBe(before?.epoch);

    const attempts = await eventually(async () => {
      const found = await Promise.all(range(0, 5).map(() => attempt(publisher, topic, SHORT_MS)));
      for (const { result, code } of found)
        if (!("position" in result)) expect(["unknown", "unavailable", "unknown_topic"]).toContain(code);
        else expect(result.position).toMatch(new RegExp(`^${after?.epoch}:`));
      return found.every(({ code }) => code === "published") && found;
    }, "it is published to");

    const records = await recordsIn(own.source, topic);
    for (const { value, result } of attempts) {
      const record = records.find(({ value: held }) => held && String(Buffer.from(held)) === value);
      expect(result).toEqual({ position: `${after?.epoch}:${record?.offset}` });
    }
  }, 120_000);
}
