/** Publishing where Kafka has no transactions: what is promised less, and that it is said. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import { range } from "../../support/contract-records.ts";
import { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { PUBLISH_ID, PUBLISH_SECRET } from "../../support/publishing-world.ts";
import { RefusingProxy } from "../../support/refusing-proxy.ts";
import { publishOf, recordsIn, valuesOf } from "../../support/sink-contract.ts";
import { describeWithKafka } from "../../support/with-kafka.ts";

const TOPIC = "unfenced";

describeWithKafka("a Kafka that refuses InitProducerId:", () => {
  let kafka: KafkaBroker;
  let proxy: RefusingProxy;
  let source: KafkaSource;
  const publishers: Publisher[] = [];

  beforeAll(async () => {
    proxy = await RefusingProxy.open();
    kafka = await KafkaBroker.start({ proxies: [proxy.port] });
    proxy.target = kafka.behindProxies[0];
    source = new KafkaSource({ brokers: kafka.brokers, clientId: "test" });
    const admin = kafka.client().admin();
    await admin.connect();
    await createTopic(admin, TOPIC, 1);
    await admin.disconnect();
  });
  afterAll(async () => {
    await Promise.all(publishers.map((publisher) => publisher.close()));
    await source?.close();
    await kafka?.stop();
    await proxy?.close();
  });

  function open(): Publisher {
    const settings = { brokers: [`127.0.0.1:${proxy.port}`], clientId: "test" };
    const sink = new KafkaSink(settings, { publishId: PUBLISH_ID });
    const publisher = new Publisher({ sink, marker: new Marker([PUBLISH_SECRET]) });
    publishers.push(publisher);
    return publisher;
  }

  const publishTo = (publisher: Publisher, value: string, chosenBy: "client" | "edge") => {
    const request = publishOf(TOPIC, { value: Buffer.from(value) });
    return publisher.publish({ ...request, id: { ...request.id, chosenBy } });
  };

  test("what is published is acknowledged where it is, and the answer says that it may be there more than once", async () => {
    const [one, other] = [open(), open()];
    const answers = [];
    for (const i of range(0, 10)) answers.push(await publishTo(i % 2 === 0 ? one : other, `${i}`, "edge"));

    const records = await recordsIn(source, TOPIC);
    const [info] = (await source.describe(TOPIC)) ?? [];
    expect(valuesOf(records)).toEqual(range(0, 10).map(String));
    expect(answers).toEqual(
      records.map(({ offset }) => ({ position: `${info?.epoch}:${offset}`, guarantee: "at-least-once" })),
    );
    expect(proxy.refusals).toBeGreaterThan(0);
  });

  test("a key of a client's own is refused, since it could not be kept, and the next publish works", async () => {
    const publisher = open();
    const before = (await recordsIn(source, TOPIC)).length;

    expect(await publishTo(publisher, "own", "client")).toMatchObject({
      error: { code: "id_not_kept", message: expect.stringContaining("transactions") },
    });
    expect(await publishTo(publisher, "next", "edge")).toMatchObject({ guarantee: "at-least-once" });
    expect(await recordsIn(source, TOPIC)).toHaveLength(before + 1);
  });
});
