import { expect, test } from "vitest";
import { Holding } from "../../../origin/kafka/holding.ts";

test("until a broker has shown that it waits for all partitions together, it is asked to wait for so short that one after the other does no harm", () => {
  const holding = new Holding();

  for (const partitions of [2, 12, 30, 1_000])
    expect(holding.waitMs(partitions) * partitions).toBeLessThanOrEqual(Math.max(300, partitions));
  expect(holding.waitMs(1)).toBe(500);
});

test.each([
  ["together, as Kafka does", 15, 500],
  ["one after the other", 300, 10],
  ["nobody knows how, on a busy machine", 230, 10],
])("a broker that waits %s is asked to wait accordingly from then on", (_, tookMs, waitMs) => {
  const holding = new Holding();

  holding.answeredNothing(30, holding.waitMs(30), tookMs);

  expect(holding.waitMs(30)).toBe(waitMs);
});

test("an answer that was wanted at once shows nothing", () => {
  const holding = new Holding();

  holding.answeredNothing(30, 0, 1);

  expect(holding.waitMs(30)).toBe(10);
});
