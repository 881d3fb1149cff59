import { expect, test } from "vitest";
import { progressLine } from "../../edge/local/progress.ts";

test.each([
  [
    { event: "topic_found", topic: "orders", partitions: 6, from: "earliest", records: 1_234_567 },
    "orders: up to 1,234,567 records to read in 6 partitions, from the oldest on",
  ],
  [
    { event: "topic_found", topic: "orders", partitions: 1, from: "24h", records: 5 },
    "orders: up to 5 records to read in 1 partition, from 24h back on",
  ],
  [
    { event: "topic_found", topic: "orders", partitions: 2, from: "index", records: 5 },
    "orders: up to 5 records to read in 2 partitions, from where the index ends",
  ],
  [
    { event: "catching_up", topics: ["a", "b"], done: 4_000, total: 10_000, perSecond: 50, secondsLeft: 120 },
    "a, b: 4,000 of up to 10,000 records read, 50 a second, about 2 min left",
  ],
  [
    { event: "catching_up", topics: ["a"], others: 3, done: 1, total: 9, perSecond: 1, secondsLeft: 8 },
    "a and 3 more: 1 of up to 9 records read, 1 a second, about 8 s left",
  ],
  [
    { event: "topic_caught_up", topic: "a", records: 9, seconds: 0.3 },
    "a: caught up with, 9 records in 0.3 s",
  ],
])("people read of %o: %s", (told, line) => {
  expect(progressLine(told)).toBe(line);
});

test("nothing of a topic that has nothing to read, nor of what else a part says", () => {
  expect(
    progressLine({ event: "topic_found", topic: "t", partitions: 1, from: "latest", records: 0 }),
  ).toBeUndefined();
  for (const message of ["listening", undefined, null, {}, { event: "fatal" }])
    expect(progressLine(message)).toBeUndefined();
});
