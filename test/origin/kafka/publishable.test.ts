import { expect, test } from "vitest";
import { publishable } from "../../../origin/kafka/publishable.ts";
import { KAFKA_ERROR } from "../../../origin/kafka/requests.ts";

const topic = (error: number, id = Buffer.alloc(16, 1)) => ({ error, name: "t", id, partitions: [] });

test("a topic with an id can be published to, even if that begins with zeros", () => {
  const found = topic(KAFKA_ERROR.none, Buffer.from("00000000000000000000000000000001", "hex"));

  expect(publishable(found, "t")).toBe(found);
});

test("a topic whose id Kafka doesn't say is refused with the remedy: its writers would be those of others, too", () => {
  const refused = expect(() => publishable(topic(KAFKA_ERROR.none, Buffer.alloc(16)), "t"));

  refused.toThrow(expect.objectContaining({ name: "SinkError", code: "unavailable" }));
  refused.toThrow("inter.broker.protocol.version");
});

test("a topic that isn't there is told apart from one that can't be described", () => {
  expect(publishable(topic(KAFKA_ERROR.unknownTopicOrPartition), "t")).toBeUndefined();
  expect(publishable(topic(KAFKA_ERROR.invalidTopic), "t")).toBeUndefined();
  expect(() => publishable(topic(KAFKA_ERROR.topicAuthorizationFailed), "t")).toThrow(
    expect.objectContaining({ name: "SinkError", code: "forbidden" }),
  );
});
