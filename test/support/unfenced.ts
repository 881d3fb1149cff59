/** Publishing to a log whose writers can't be fenced: what is promised less, and that it is said. */
import { expect } from "vitest";
import { KafkaSink } from "../../origin/kafka/sink.ts";
import { KafkaSource } from "../../origin/kafka/source.ts";
import { Marker } from "../../origin/publish/mark.ts";
import { Publisher } from "../../origin/publish/publisher.ts";
import { PUBLISH_ID, PUBLISH_SECRET } from "./publishing-world.ts";
import { partitionsOf } from "./reading.ts";
import { publishOf, recordsIn, valuesOf } from "./sink-contract.ts";

/** @param topic It has one partition, and no records. @param missing What is said of it. */
export async function holdsUnfenced(
  brokers: readonly string[],
  topic: string,
  missing: string,
): Promise<void> {
  const settings = { brokers, clientId: "test" };
  const sink = new KafkaSink(settings, { publishId: PUBLISH_ID });
  const publisher = new Publisher({ sink, marker: new Marker([PUBLISH_SECRET]) });
  const source = new KafkaSource(settings);
  const publish = (value: string, chosenBy: "client" | "edge") => {
    const request = publishOf(topic, { value: Buffer.from(value) });
    return publisher.publish({ ...request, id: { ...request.id, chosenBy } });
  };
  try {
    const answers = [await publish("one", "edge"), await publish("two", "edge")];
    const own = await publish("own", "client");

    const [info] = await partitionsOf(source, topic);
    expect(answers).toEqual(
      [0, 1].map((offset) => ({ position: `${info?.epoch}:${offset}`, guarantee: "at-least-once" })),
    );
    expect(valuesOf(await recordsIn(source, topic))).toEqual(["one", "two"]);
    expect(own).toMatchObject({ error: { code: "id_not_kept", message: expect.stringContaining(missing) } });
  } finally {
    await publisher.close();
    await source.close();
  }
}

/** Publishes these to a topic of one partition, each when the one before has been acknowledged; returns where they are. */
export async function publishedUnfenced(
  brokers: readonly string[],
  topic: string,
  values: readonly string[],
): Promise<number[]> {
  const sink = new KafkaSink({ brokers, clientId: "test" }, { publishId: PUBLISH_ID });
  const publisher = new Publisher({ sink, marker: new Marker([PUBLISH_SECRET]) });
  const offsets: number[] = [];
  try {
    for (const value of values) {
      const request = publishOf(topic, { value: Buffer.from(value) });
      const answer = await publisher.publish({ ...request, id: { ...request.id, chosenBy: "edge" } });
      expect(answer).toMatchObject({ position: expect.any(String), guarantee: "at-least-once" });
      offsets.push(Number("position" in answer && answer.position.split(":")[1]));
    }
    return offsets;
  } finally {
    await publisher.close();
  }
}
