/** The checker itself, against publishes and logs with known faults: what it can't see, no run can show. */
import { describe, expect, test } from "vitest";
import {
  type Answer,
  checkPublishes,
  isClean,
  type Publish,
  type PublishedLog,
  type PublishedRecord,
} from "./publish-checker.ts";

const ENDPOINT = "/t/k";
const textOf = (id: number) => `{"id":${id}}`;

const acknowledged = (offset: number, epoch = "a.0"): Answer => ({
  kind: "acknowledged",
  position: `${epoch}:${offset}`,
});
const error = (code: string, retry = true): Answer => ({ kind: "error", code, retry });
const NONE: Answer = { kind: "none" };

const publish = (id: number, answers: readonly Answer[], more: Partial<Publish> = {}): Publish => ({
  id,
  client: "c",
  endpoint: ENDPOINT,
  value: textOf(id),
  answers,
  ...more,
});

const record = (offset: number, id: number, more: Partial<PublishedRecord> = {}): PublishedRecord => ({
  offset,
  endpoint: ENDPOINT,
  id,
  value: textOf(id),
  client: "c",
  ...more,
});

const logOf = (...records: readonly PublishedRecord[]): PublishedLog => new Map([["a.0", records]]);

const NOTHING = { lost: [], doubled: [], wrong: [], outOfOrder: [], problems: [] };

describe("nothing is wrong where", () => {
  test.each<[string, readonly Publish[], PublishedLog, object]>([
    [
      "each is where it was acknowledged, in order, among records of others",
      [publish(1, [acknowledged(3)]), publish(2, [NONE, error("unknown_outcome"), acknowledged(7)])],
      logOf(record(3, 1), record(5, 9, { client: undefined }), record(7, 2)),
      { acknowledged: 2, logged: 2 },
    ],
    [
      "one that nobody could tell of is there once, or isn't",
      [publish(1, [NONE]), publish(2, [error("unknown_outcome")]), publish(3, [error("internal")])],
      logOf(record(3, 2)),
      { acknowledged: 0, logged: 1 },
    ],
    [
      "one that was refused isn't there",
      [publish(1, [error("unavailable"), error("overloaded")])],
      logOf(),
      { acknowledged: 0, logged: 0 },
    ],
    [
      "one that was first refused, and then not answered, is there",
      [publish(1, [error("unavailable"), NONE])],
      logOf(record(3, 1)),
      { acknowledged: 0, logged: 1 },
    ],
    [
      "it was acknowledged twice, at one position",
      [publish(1, [acknowledged(3), acknowledged(3)])],
      logOf(record(3, 1)),
      { acknowledged: 1, logged: 1 },
    ],
    [
      "a tombstone is one",
      [publish(1, [acknowledged(3)], { value: null })],
      logOf(record(3, 1, { value: null })),
      { acknowledged: 1, logged: 1 },
    ],
    [
      "two clients, or two partitions, have no order among themselves",
      [
        publish(1, [acknowledged(9)]),
        publish(2, [acknowledged(3)], { client: "d" }),
        publish(3, [acknowledged(0, "a.1")]),
      ],
      new Map([
        ["a.0", [record(3, 2, { client: "d" }), record(9, 1)]],
        ["a.1", [record(0, 3)]],
      ]),
      { acknowledged: 3, logged: 3 },
    ],
  ])("%s", (_, publishes, log, counts) => {
    const findings = checkPublishes(publishes, log);
    expect(findings).toEqual({ ...NOTHING, ...counts });
    expect(isClean(findings)).toBe(true);
  });
});

describe("found is", () => {
  test.each<[string, readonly Publish[], PublishedLog, object, RegExp]>([
    [
      "one that was acknowledged and isn't there",
      [publish(1, [acknowledged(3)]), publish(2, [acknowledged(4)])],
      logOf(record(4, 2)),
      { lost: [1] },
      /publish 1 of c to \/t\/k is nowhere/,
    ],
    [
      "one that another's record stands in for",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 2)),
      { lost: [1] },
      /nowhere/,
    ],
    [
      "one that is there twice",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 1), record(4, 1)),
      { doubled: [1] },
      /again at a\.0:4/,
    ],
    [
      "one that is there twice, though nobody was told that it is there at all",
      [publish(1, [NONE])],
      logOf(record(3, 1), record(4, 1), record(5, 1)),
      { doubled: [1, 1] },
      /again/,
    ],
    [
      "one that is in two partitions",
      [publish(1, [acknowledged(3)])],
      new Map([
        ["a.0", [record(3, 1)]],
        ["a.1", [record(3, 1)]],
      ]),
      { doubled: [1] },
      /again at a\.1:3/,
    ],
    [
      "one that is elsewhere than it was acknowledged",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 2), record(4, 1)),
      { wrong: [1] },
      /acknowledged at a\.0:3, and is at a\.0:4/,
    ],
    [
      "one that is in another incarnation of its topic",
      [publish(1, [acknowledged(3)])],
      new Map([["b.0", [record(3, 1)]]]),
      { wrong: [1] },
      /and is at b\.0:3/,
    ],
    [
      "one that was acknowledged twice, at two positions",
      [publish(1, [acknowledged(3), acknowledged(4)])],
      logOf(record(3, 1)),
      { wrong: [1] },
      /acknowledged at a\.0:4/,
    ],
    [
      "one whose bytes are others",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 1, { value: `${textOf(1)} ` })),
      { wrong: [1] },
      /is in the log as/,
    ],
    [
      "one that became a tombstone",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 1, { value: null })),
      { wrong: [1] },
      /is in the log as/,
    ],
    [
      "one that has another key",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 1, { endpoint: "/t/other" })),
      { wrong: [1] },
      /is in the log as/,
    ],
    [
      "one whose headers are others",
      [publish(1, [acknowledged(3)])],
      logOf(record(3, 1, { client: "d" })),
      { wrong: [1] },
      /is in the log as/,
    ],
    [
      "one that was refused, and came all the same",
      [publish(1, [error("unavailable"), error("overloaded")])],
      logOf(record(3, 1)),
      { wrong: [1] },
      /was refused, and is in the log/,
    ],
    [
      "one that was refused for good without a reason",
      [publish(1, [error("id_reused", false)])],
      logOf(),
      { wrong: [1] },
      /refused for good: id_reused/,
    ],
    [
      "one that came before an earlier one of its client",
      [publish(1, [acknowledged(4)]), publish(2, [acknowledged(3)]), publish(3, [acknowledged(5)])],
      logOf(record(3, 2), record(4, 1), record(5, 3)),
      { outOfOrder: [2] },
      /is at 3, and an earlier one at 4/,
    ],
  ])("%s", (_, publishes, log, wrong, words) => {
    const findings = checkPublishes(publishes, log);
    expect(findings).toMatchObject({ ...NOTHING, ...wrong, problems: findings.problems });
    expect(findings.problems[0]).toMatch(words);
    expect(isClean(findings)).toBe(false);
  });
});
