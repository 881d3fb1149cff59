/** Partitions that hang hold up no other: on a real Kafka, counted. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { Publisher } from "../../../origin/publish/publisher.ts";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { range, recordOf } from "../../support/contract-records.ts";
import { JavaProducers } from "../../support/kafka-producer.ts";
import { createPlacedTopic } from "../../support/kafka-topics.ts";
import { figure } from "../../support/long.ts";
import { publishingWorld } from "../../support/publishing-world.ts";
import { codeOf, publishOf, recordsIn } from "../../support/sink-contract.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

/** More than there are connections to a broker at once. */
const STUCK = 12;
const PUBLISHES = 20;
const DEADLINE_MS = 120_000;

/** A key of each partition. */
function keysOf(partitions: number): readonly Buffer[] {
  const keys = range(0, 100 * partitions).map((i) => Buffer.from(`key ${i}`));
  return range(0, partitions).map(
    (partition) => keys.find((key) => partitionOf(key, partitions) === partition) ?? Buffer.alloc(0),
  );
}

const publishTo = (publisher: Publisher, topic: string, key: Uint8Array = Buffer.alloc(0)) =>
  publisher.publish(publishOf(topic, { key, deadline: performance.now() + DEADLINE_MS }));

/** One after another, each acknowledged; how long each took, in milliseconds. */
async function publishAll(publisher: Publisher, topic: string, key?: Buffer): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < PUBLISHES; i++) {
    const since = performance.now();
    expect(codeOf(await publishTo(publisher, topic, key))).toBe("published");
    took.push(performance.now() - since);
  }
  return took;
}

const worst = (took: readonly number[]) => `${Math.max(...took).toFixed(1)} ms`;

describeWithKafka("partitions that hang:", () => {
  // So long that one that is silent isn't given up as a replica before what waits for it is.
  const own = publishingWorld({ brokers: 3, config: { "broker.session.timeout.ms": 9_000 } }, 3);

  test("those whose replicas don't answer, more than there are connections, hold up no other of their leader's", async () => {
    const [fine, topic] = [`fine-${randomUUID()}`, `stuck-${randomUUID()}`];
    const admin = own.kafka.client().admin();
    await admin.connect();
    const placed = range(0, STUCK).map(() => [1, 3]);
    await createPlacedTopic(admin, fine, [[1]], { "min.insync.replicas": "1" });
    await createPlacedTopic(admin, topic, placed, { "min.insync.replicas": "1" });
    await admin.disconnect();
    const publisher = own.open();
    const stuck = keysOf(STUCK);
    const first = await Promise.all(stuck.map((key) => publishTo(publisher, topic, key)));
    expect(new Set(first.map(codeOf))).toEqual(new Set(["published"]));
    const before = await publishAll(publisher, fine);

    own.kafka.freeze(3, true);
    let over = 0;
    const held = stuck.map(async (key) => {
      const result = await publisher.publish(
        publishOf(topic, { key, deadline: performance.now() + TIME_LIMITS.produceReplicasMs }),
      );
      over++;
      return codeOf(result);
    });
    let meanwhile: number[];
    try {
      meanwhile = await publishAll(publisher, fine);
      expect(over).toBe(0);
      expect(new Set(await Promise.all(held))).toEqual(new Set(["unknown"]));
    } finally {
      own.kafka.freeze(3, false);
    }

    figure(`${STUCK} partitions without replicas: ${worst(before)} at most before, ${worst(meanwhile)} then`);
    const again = await Promise.all(stuck.map((key) => publishTo(publisher, topic, key)));
    expect(new Set(again.map(codeOf))).toEqual(new Set(["published"]));
    expect(await recordsIn(own.source, fine)).toHaveLength(2 * PUBLISHES);
    for (const partition of range(0, STUCK))
      expect(await recordsIn(own.source, topic, partition)).toHaveLength(3);
  }, 240_000);

  test("one that nobody leads is not acknowledged, and holds up no other; once it is led again it is written", async () => {
    const topic = `leaderless-${randomUUID()}`;
    const admin = own.kafka.client().admin();
    await admin.connect();
    await createPlacedTopic(admin, topic, [[1], [3]], { "min.insync.replicas": "1" });
    await admin.disconnect();
    const publisher = own.open();
    const [fine, stuck] = keysOf(2);
    await publishAll(publisher, topic, fine);
    await own.kafka.kill(3);
    try {
      let over = 0;
      const held = range(0, 50).map(async () => {
        const result = await publisher.publish(
          publishOf(topic, { ...(stuck && { key: stuck }), deadline: performance.now() + 3_000 }),
        );
        over++;
        return codeOf(result);
      });
      await publishAll(publisher, topic, fine);
      expect(over).toBe(0);
      for (const code of await Promise.all(held)) expect(["unavailable", "unknown"]).toContain(code);
      await publishAll(publisher, topic, fine);
    } finally {
      await own.kafka.restart(3);
    }
    expect(codeOf(await publishTo(publisher, topic, stuck))).toBe("published");
  }, 240_000);

  test("a stranger's transaction that stays open on one holds up none, nor that one", async () => {
    const topic = await own.newTopic(2);
    const publisher = own.open();
    const keys = keysOf(2);
    const before = [];
    for (const key of keys) before.push(...(await publishAll(publisher, topic, key)));
    const producers = new JavaProducers(own.kafka);
    try {
      const open = await producers.open({ "transactional.id": randomUUID() });
      await open.begin();
      await open.send(topic, [recordOf(0, "open")]);

      const meanwhile = [];
      for (const key of keys) meanwhile.push(...(await publishAll(publisher, topic, key)));

      figure(`a stranger's transaction: ${worst(before)} at most before, ${worst(meanwhile)} then`);
      await open.commit();
    } finally {
      await producers.stop();
    }
  }, 240_000);
});
