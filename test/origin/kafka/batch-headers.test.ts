import { expect, test } from "vitest";
import { isOlder, UNKNOWN_EPOCH } from "../../../origin/kafka/batch-headers.ts";
import { recordBatch } from "../../support/record-batch.ts";

const following = (leaderEpoch: number) =>
  Buffer.concat([
    recordBatch({ firstOffset: 3, values: ["read"], leaderEpoch: 0 }),
    recordBatch({ firstOffset: 5, values: ["next"], leaderEpoch }),
  ]);

test.each([
  ["an older one than what was read, and so is the leader", 1, 1, true],
  ["the same", 2, 2, false],
  ["a newer one", 3, 3, false],
  ["an older one, but the leader isn't: this log doesn't keep them in order", 1, 2, false],
  [
    "the same, and only the leader is of an older one, as a broker tells that hears of news late",
    2,
    1,
    false,
  ],
  ["unknown", UNKNOWN_EPOCH, 1, false],
  ["an older one, of a leader of which nothing is told", 1, UNKNOWN_EPOCH, false],
])("whether what follows is of another log, if its epoch is %s", (_, epoch, leader, expected) => {
  expect(isOlder(following(epoch), { offset: 5, leaderEpoch: 2 }, leader)).toBe(expected);
});

test("if nothing follows, or what was read is of no known epoch, nothing is known", () => {
  expect(isOlder(Buffer.alloc(0), { offset: 5, leaderEpoch: 2 }, 1)).toBe(false);
  expect(isOlder(following(0), { offset: 5, leaderEpoch: UNKNOWN_EPOCH }, 0)).toBe(false);
});
