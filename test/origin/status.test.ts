import { expect, test } from "vitest";
import type { IndexFacts, PartitionFacts } from "../../origin/index/views.ts";
import type { Partition } from "../../origin/partitions.ts";
import { needsAttention, statusOf, summarize } from "../../origin/status.ts";

const partition = (number: number, state: Partial<Partition> = {}): Partition => ({
  ...{ topic: "t", partition: number, epoch: `e.${number}`, next: 4, end: 4, ready: true, error: undefined },
  ...state,
});
const counted: PartitionFacts = {
  ...{ topic: "t", partition: 0, epoch: "e.0", horizon: 0, checkpoint: 4, records: 1, bytes: 1, kept: 0 },
  ...{ keyless: 2, keyTooLong: 3, omitted: 4 },
};
const facts: IndexFacts = { partitions: [counted, counted], diskBytes: 0 };

test("[A5] records that have no endpoint are counted over all partitions", () => {
  const status = statusOf([partition(0), partition(1)], true, 7, facts);

  expect(summarize(status)).toEqual({
    ...{ ready: true, watched: 7, keyless: 4, keyTooLong: 6, omitted: 8, partitions: 2 },
    ...{ unready: undefined, failing: undefined },
  });
  expect(needsAttention(status)).toBe(false);
});

test("partitions that are not ready, or fail, are named, and people are told again and again", () => {
  const lagging = partition(1, { next: 2, end: 9, ready: false });
  const failing = partition(2, { error: "corrupt: no such codec" });

  expect(summarize(statusOf([partition(0), lagging, failing], false, 0, facts))).toMatchObject({
    unready: ["t/1 at 2 of 9"],
    failing: ["t/2 corrupt: no such codec"],
  });
  expect(needsAttention(statusOf([lagging], false, 0, facts))).toBe(true);
  expect(needsAttention(statusOf([failing], true, 0, facts))).toBe(true);
});

test("of many partitions only the first are named", () => {
  const all = Array.from({ length: 30 }, (_, number) => partition(number, { ready: false }));

  const { unready } = summarize(statusOf(all, false, 0, facts));

  expect(unready).toHaveLength(9);
  expect(unready).toContain("and 22 more");
});
