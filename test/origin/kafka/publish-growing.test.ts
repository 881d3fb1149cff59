/** A topic that gets partitions while it is published to: on a real Kafka. */
import { expect, test } from "vitest";
import type { Publisher } from "../../../origin/publish/publisher.ts";
import { range } from "../../support/contract-records.ts";
import { eventually } from "../../support/deadline.ts";
import type { KafkaOptions } from "../../support/kafka-broker.ts";
import { addPartitions } from "../../support/kafka-topics.ts";
import { LONG } from "../../support/long.ts";
import { publishingWorld } from "../../support/publishing-world.ts";
import { RawWriter } from "../../support/raw-writer.ts";
import { codeOf, publishOf, recordsIn } from "../../support/sink-contract.ts";
import { describeWithKafka, describeWithOldestKafka } from "../../support/with-kafka.ts";

const [BEFORE, AFTER] = [2, 5];
const PUBLISHES = 60;
const DEADLINE_MS = 60_000;
const WINDOW_MS = 1_000;

describeWithKafka("a topic of Kafka 4.3 that gets partitions:", () => grows({}));
if (LONG)
  await describeWithOldestKafka("a topic of Kafka 3.1 that gets partitions:", () =>
    grows({ old: "oldest", config: { "inter.broker.protocol.version": "3.1" } }),
  );

/** Of as many keys; the same again each time. */
function requestsOf(topic: string, name: string) {
  return range(0, PUBLISHES).map((i) =>
    publishOf(topic, {
      key: Buffer.from(`key ${i}`),
      value: Buffer.from(`${name} ${i}`),
      id: { issuer: "issuer", subject: "subject", key: `${name} ${i}`, chosenBy: "client" },
      deadline: Number.POSITIVE_INFINITY,
    }),
  );
}

/** All of them, until they are answered with a position: by this publisher, whoever had the partitions before. */
async function publishAll(publisher: Publisher, requests: ReturnType<typeof requestsOf>) {
  return Promise.all(
    requests.map((request) =>
      eventually(
        async () => {
          const deadline = performance.now() + DEADLINE_MS;
          const result = await publisher.publish({ ...request, deadline });
          if ("position" in result) return result;
          expect(["not_writer", "unknown", "unavailable"]).toContain(codeOf(result));
          publisher.takeOver(request.topic, request.key);
          return false;
        },
        "it is published",
        DEADLINE_MS,
      ),
    ),
  );
}

function grows(options: KafkaOptions): void {
  const own = publishingWorld(options);

  const lengthOf = async (topic: string, partitions: number) => {
    const all = await Promise.all(
      range(0, partitions).map((partition) => recordsIn(own.source, topic, partition)),
    );
    return all.flat().length;
  };

  test("each publish is one record, and is answered with its position, whoever is asked, before, meanwhile and after", async () => {
    const topic = await own.newTopic(BEFORE);
    const [first, second] = [requestsOf(topic, "first"), requestsOf(topic, "second")];
    const one = own.open();
    const answers = await publishAll(one, first);

    await addPartitions(own.kafka, topic, AFTER);
    // Whoever comes new knows nothing of before; whoever was there hasn't looked yet.
    const other = own.open();
    expect(await publishAll(other, first)).toEqual(answers);
    const later = await publishAll(one, second);
    expect(await publishAll(one, first)).toEqual(answers);
    expect(await publishAll(other, second)).toEqual(later);
    expect(await publishAll(own.open(), [...first, ...second])).toEqual([...answers, ...later]);

    expect(await lengthOf(topic, AFTER)).toBe(2 * PUBLISHES);
    expect(new Set(later.map(({ position }) => position.split(":")[0])).size).toBe(AFTER);
  }, 240_000);

  test("whoever comes new to a topic that another has watched for long enough touches no partition but the key's", async () => {
    const topic = await own.newTopic(BEFORE);
    const key = Buffer.from("key");
    const raw = new RawWriter(own.direct(), topic);
    try {
      const marks = async () => {
        const read = () => Promise.all(range(0, AFTER).map((partition) => raw.marks(partition)));
        // Whoever leads a new partition may not know yet.
        const all = await eventually(read, "marks are read");
        return all.map(({ length }) => length);
      };
      /** In how many partitions somebody who comes new leaves a mark to publish there. */
      const touched = async () => {
        const before = await marks();
        // However slowly it does this, it hasn't watched for long enough itself.
        const newcomer = own.open();
        expect(codeOf(await newcomer.publish(publishOf(topic, { key })))).toBe("published");
        await newcomer.close();
        return (await marks()).filter((more, partition) => more > (before[partition] ?? 0)).length;
      };
      const watching = own.open("direct", {}, { windowMs: WINDOW_MS });
      await publishAll(watching, requestsOf(topic, "watched"));
      await addPartitions(own.kafka, topic, AFTER);
      expect(await touched()).toBe(AFTER);

      await eventually(async () => {
        // It looks at the topic when something is published.
        await watching.publish(publishOf(topic, { key }));
        return (await touched()) === 1;
      }, "it is settled");
    } finally {
      raw.close();
    }
  }, 120_000);
}
