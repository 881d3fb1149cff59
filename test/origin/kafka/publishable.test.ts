import { expect, test } from "vitest";
import { publishable } from "../../../origin/kafka/publishable.ts";
import { KAFKA_ERROR } from "../../../origin/kafka/requests.ts";

const topic = (error: number, id = Buffer.alloc(16, 1)) => ({
  error,
  name: "t",
  id,
  hasOwnId: true,
  partitions: [],
});

test("a topic with an id can be published to, even if that begins with zeros", () => {
  const found = topic(KAFKA_ERROR.none, Buffer.from("00000000000000000000000000000001", "hex"));

  expect(publishable(found, "t")).toBe(found);
});

test("a topic that has no id can be published to: its writers are told by its name", () => {
  const found = { ...topic(KAFKA_ERROR.none, Buffer.alloc(12, 1)), hasOwnId: false };

  expect(publishable(found, "t")).toBe(found);
});

test("a topic that isn't there is told apart from one that can't be described", () => {
  expect(publishable(topic(KAFKA_ERROR.unknownTopicOrPartition), "t")).toBeUndefined();
  expect(publishable(topic(KAFKA_ERROR.invalidTopic), "t")).toBeUndefined();
  expect(() => publishable(topic(KAFKA_ERROR.topicAuthorizationFailed), "t")).toThrow(
    expect.objectContaining({ name: "SinkError", code: "forbidden" }),
  );
});
