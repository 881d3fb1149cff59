import { expect, test } from "vitest";
import { lagOf, needsAttention, stateOf, summarize, totalsOf } from "../../../origin/operate/status.ts";
import { madeUpStatus, NOW } from "../../support/status.ts";

const counted = { keyless: 2, keyTooLong: 3, omitted: 4 };

test("[A5] records that have no endpoint are counted by topic and over all of them", () => {
  const status = madeUpStatus({ partitions: [{}, {}], watched: 7, index: [counted, counted], absent: ["u"] });

  expect(status.topics).toMatchObject([
    { topic: "t", keyless: 4, keyTooLong: 6, omitted: 8 },
    { topic: "u", keyless: 0, keyTooLong: 0, omitted: 0 },
  ]);
  expect(summarize(status)).toEqual({
    ...{ ready: true, watched: 7, keyless: 4, keyTooLong: 6, omitted: 8, partitions: 2 },
    ...{ unready: undefined, failing: undefined },
  });
  expect(needsAttention(status)).toBe(false);
});

test("partitions that are not ready, or fail, are named, and people are told again and again", () => {
  const lagging = { next: 2, end: 9, ready: false };
  const failing = { error: "corrupt: no such codec" };

  expect(summarize(madeUpStatus({ partitions: [{}, lagging, failing] }))).toMatchObject({
    unready: ["t/1 at 2 of 9"],
    failing: ["t/2 corrupt: no such codec"],
  });
  expect(needsAttention(madeUpStatus({ partitions: [lagging] }))).toBe(true);
  expect(needsAttention(madeUpStatus({ partitions: [failing] }))).toBe(true);
});

test("of many partitions only the first are named", () => {
  const { unready } = summarize(madeUpStatus({ partitions: Array(30).fill({ ready: false }) }));

  expect(unready).toHaveLength(9);
  expect(unready).toContain("and 22 more");
});

test("each partition is in one of four states", () => {
  const { partitions } = madeUpStatus({
    partitions: [
      { ready: false },
      {},
      { next: 2, error: "unavailable: no leader" },
      { ready: false, error: "corrupt: no such codec", stopped: true },
    ],
  });

  expect(partitions.map(stateOf)).toEqual(["catching-up", "live", "failing", "stopped"]);
  expect(partitions.map(lagOf)).toEqual([1, 0, 2, 1]);
});

test("a topic is unknown until it was described, and absent where it doesn't exist", () => {
  const { topics } = madeUpStatus({ partitions: [{ next: 1 }, { next: 2 }], unknown: ["u"], absent: ["v"] });

  expect(topics).toMatchObject([
    { topic: "t", state: "found", partitions: 2, lag: 5 },
    { topic: "u", state: "unknown", partitions: 0, lag: 0 },
    { topic: "v", state: "absent", partitions: 0, lag: 0 },
  ]);
});

test("the index is added up, and reaches as far back as where it reaches furthest", () => {
  const index = [{ records: 2, oldestAt: NOW - 5_000 }, { bytes: 7, kept: 3, oldestAt: NOW - 60_000 }, {}];

  expect(totalsOf(madeUpStatus({ index }))).toEqual({
    ...{ records: 4, bytes: 9, kept: 3, diskBytes: 0, horizonAgeSeconds: 60 },
  });
  expect(totalsOf(madeUpStatus()).horizonAgeSeconds).toBeUndefined();
});
