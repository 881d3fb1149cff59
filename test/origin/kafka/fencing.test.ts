/** What the writer relies on, as Kafka itself does it: docs/publishing.md says which versions were tried. */
import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WRITE_ERROR } from "../../../origin/kafka/produce-requests.ts";
import { eventually } from "../../support/deadline.ts";
import { KafkaBroker, type KafkaOptions } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { LONG } from "../../support/long.ts";
import { RawWriter } from "../../support/raw-writer.ts";
import {
  describeWithKafka,
  describeWithKafkaOf,
  describeWithOldestKafka,
  describeWithOldKafka,
} from "../../support/with-kafka.ts";

/** Of seconds instead of a day, and of a week. */
const FORGETFUL = {
  "producer.id.expiration.ms": 3_000,
  "producer.id.expiration.check.interval.ms": 500,
  "transactional.id.expiration.ms": 3_000,
  "transaction.remove.expired.transaction.cleanup.interval.ms": 500,
};
/** How often a fence is repeated, instead of every six hours. */
const REPEAT_MS = 500;

const NEWEST: KafkaOptions = {};
const OLD: KafkaOptions = { old: true };
const OLDEST: KafkaOptions = { old: "oldest", config: { "inter.broker.protocol.version": "3.1" } };

describeWithKafka("Kafka 4.3 as a fence:", () => holds(NEWEST));
describeWithKafka("Kafka 4.3 that forgets soon:", () => expires({ config: FORGETFUL }));
if (LONG) {
  await describeWithOldKafka("Kafka 3.9 that forgets soon:", () => expires({ old: true, config: FORGETFUL }));
  await describeWithOldKafka("Kafka 3.9 as a fence:", () => holds(OLD));
  await describeWithOldestKafka("Kafka 3.1 as a fence:", () => holds(OLDEST));
  await describeWithKafkaOf("3.0.2", "Kafka 3.0 as a fence:", () => holds({ old: "3.0.2" }));
}

interface Two {
  readonly id: string;
  readonly stopped: RawWriter;
  readonly next: RawWriter;
}

/** Starts a broker for the tests of a group; returns what makes a topic and two writers for each of these. */
function twoWriters(options: KafkaOptions): () => Promise<Two> {
  let kafka: KafkaBroker;
  const writers: RawWriter[] = [];

  beforeAll(async () => {
    kafka = await KafkaBroker.start(options);
  });
  afterAll(async () => {
    for (const writer of writers) writer.close();
    await kafka?.stop();
  });

  return async () => {
    const topic = `fence-${randomUUID()}`;
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, topic, 2);
    await admin.disconnect();
    const open = () => {
      const writer = new RawWriter(kafka.brokers[0] ?? "", topic);
      writers.push(writer);
      return writer;
    };
    return { id: randomUUID(), stopped: open(), next: open() };
  };
}

function holds(options: KafkaOptions): void {
  const setup = twoWriters(options);

  test("one empty committed transaction refuses what a stopped predecessor still has in flight", async () => {
    const { id, stopped, next } = await setup();
    const before = await stopped.fence(id);
    expect(await stopped.produce({ ...before, sequence: 0 }, ["a"])).toMatchObject({ error: 0 });

    await next.fence(id);

    expect(await stopped.produce({ ...before, sequence: 1 }, ["late"])).toMatchObject({
      error: WRITE_ERROR.invalidProducerEpoch,
    });
    expect((await next.values()).map(([, value]) => value)).toEqual(["a"]);
  });

  test("it does so where the partition never saw a record of the id", async () => {
    const { id, stopped, next } = await setup();
    const before = await stopped.init(id);

    await next.fence(id, 1);

    expect(await stopped.produce({ ...before, sequence: 0 }, ["late"], 1)).toMatchObject({
      error: WRITE_ERROR.invalidProducerEpoch,
    });
    expect(await next.values(1)).toEqual([]);
  });

  test("taking the id over is not enough: before the mark, the predecessor still writes", async () => {
    const { id, stopped, next } = await setup();
    const before = await stopped.fence(id);

    await next.init(id);

    expect(await stopped.produce({ ...before, sequence: 0 }, ["late"])).toMatchObject({ error: 0 });
    expect(await next.values()).toHaveLength(1);
  });

  test("plain idempotent batches are taken from sequence 0 after a fence, and refused after the next", async () => {
    const { id, stopped, next } = await setup();
    const first = await stopped.fence(id);
    for (const sequence of [0, 1, 2])
      expect(await stopped.produce({ ...first, sequence }, [`1:${sequence}`])).toMatchObject({ error: 0 });
    const second = await next.fence(id);

    expect(second.producerId).toBe(first.producerId);
    expect(second.producerEpoch).toBeGreaterThan(first.producerEpoch);
    expect(await next.produce({ ...second, sequence: 0 }, ["2:0", "2:1"])).toMatchObject({ error: 0 });
    expect(await next.produce({ ...second, sequence: 2 }, ["2:2"])).toMatchObject({ error: 0 });
    await stopped.fence(id);
    expect(await next.produce({ ...second, sequence: 3 }, ["late"])).toMatchObject({
      error: WRITE_ERROR.invalidProducerEpoch,
    });
    expect((await next.values()).map(([, value]) => value)).toEqual([
      ...["1:0", "1:1", "1:2"],
      ...["2:0", "2:1", "2:2"],
    ]);
  });

  test("a batch that comes again is answered with the offset that it has", async () => {
    const { id, stopped: writer } = await setup();
    const identity = await writer.fence(id);
    const first = await writer.produce({ ...identity, sequence: 0 }, ["a", "b"]);

    const again = await writer.produce({ ...identity, sequence: 0 }, ["a", "b"]);

    expect(again).toMatchObject({ error: 0, offset: first.offset });
    expect(await writer.values()).toHaveLength(2);
  });

  test("the fence is repeated without a new epoch, and sequences go on", async () => {
    const { id, stopped: writer } = await setup();
    const identity = await writer.fence(id);
    await writer.produce({ ...identity, sequence: 0 }, ["a"]);

    await writer.mark(id, identity);

    expect(await writer.produce({ ...identity, sequence: 0 }, ["again"])).toMatchObject({
      error: WRITE_ERROR.none,
    });
    expect(await writer.produce({ ...identity, sequence: 1 }, ["b"])).toMatchObject({
      error: WRITE_ERROR.none,
    });
    expect((await writer.values()).map(([, value]) => value)).toEqual(["a", "b"]);
  });
}

/** What undoes a fence, and what keeps it. Each waits for the broker to forget. */
function expires(options: KafkaOptions): void {
  const setup = twoWriters(options);

  test.concurrent("a leader forgets a fence, and takes what was refused; not so while the fence is repeated", async () => {
    const [kept, forgotten] = [await setup(), await setup()];
    const [late, lost] = [await kept.stopped.fence(kept.id), await forgotten.stopped.fence(forgotten.id)];
    const fence = await kept.next.fence(kept.id);
    await forgotten.next.fence(forgotten.id);

    await eventually(
      async () => {
        await kept.next.mark(kept.id, fence);
        await setTimeout(REPEAT_MS);
        const { error } = await forgotten.stopped.produce({ ...lost, sequence: 0 }, ["late"]);
        return error === WRITE_ERROR.none;
      },
      "the leader has forgotten the fence that is not repeated",
      60_000,
    );

    expect(await kept.stopped.produce({ ...late, sequence: 0 }, ["late"])).toMatchObject({
      error: WRITE_ERROR.invalidProducerEpoch,
    });
    expect(await kept.next.produce({ ...fence, sequence: 0 }, ["a"])).toMatchObject({
      error: WRITE_ERROR.none,
    });
    expect((await kept.next.values()).map(([, value]) => value)).toEqual(["a"]);
  });

  test.concurrent("an id that expired is another producer, at epoch 0; not so while the fence is repeated", async () => {
    const [kept, forgotten] = [await setup(), await setup()];
    const [fence, before] = [await kept.next.fence(kept.id), await forgotten.next.fence(forgotten.id)];

    const after = await eventually(
      async () => {
        // Being asked keeps an id, too.
        for (let repeats = 0; repeats < 10; repeats++) {
          await kept.next.mark(kept.id, fence);
          await setTimeout(REPEAT_MS);
        }
        const now = await forgotten.next.init(forgotten.id);
        return now.producerId !== before.producerId && now;
      },
      "the id has expired",
      60_000,
    );

    expect(after.producerEpoch).toBe(0);
    expect((await kept.next.init(kept.id)).producerId).toBe(fence.producerId);
  });
}
