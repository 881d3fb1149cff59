import { beforeEach, expect, test } from "vitest";
import { Partitions } from "../../../origin/reading/partitions.ts";
import { Progress } from "../../../origin/reading/progress.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

let now: number;
let partitions: Partitions;
let recorded: RecordedLog;
let progress: Progress;

beforeEach(() => {
  now = 0;
  partitions = new Partitions(["a", "b"]);
  recorded = new RecordedLog();
  progress = new Progress({ partitions, log: recorded.log, now: () => now });
});

/** The topic has partitions that are read from 100 on, to these ends. */
function begins(topic: string, ...ends: readonly number[]): number {
  const unread = partitions.unread(topic);
  partitions.describe(
    topic,
    ends.map((end, partition) => ({ partition, epoch: `${topic}.${partition}`, next: 100, end })),
  );
  const records = partitions.unread(topic);
  progress.begins(topic, records - unread);
  return records;
}

function read(topic: string, partition: number, nextOffset: number, endOffset = nextOffset): void {
  partitions.advance(topic, `${topic}.${partition}`, { records: [], nextOffset, endOffset });
  progress.check(topic);
}

test("what there is to read is known before it is read, over all partitions", () => {
  expect(begins("a", 1_100, 100, 600)).toBe(1_500);
});

test("while it is read: how much of how much, at what rate since the last time, and for how long still", () => {
  begins("a", 1_100, 1_100);
  now = 10_000;
  read("a", 0, 500, 1_100);
  progress.tell();
  now = 20_000;
  read("a", 0, 1_100);
  progress.tell();

  expect(recorded.of("catching_up")).toEqual([
    { topics: ["a"], done: 400, total: 2_000, perSecond: 40, secondsLeft: 40 },
    { topics: ["a"], done: 1_000, total: 2_000, perSecond: 60, secondsLeft: 17 },
  ]);
});

test("what is written meanwhile is no part of it", () => {
  begins("a", 1_100);
  now = 10_000;
  read("a", 0, 1_050, 9_000);
  progress.tell();
  read("a", 0, 1_200, 9_000);
  progress.tell();

  expect(recorded.of("catching_up")).toMatchObject([{ done: 950, total: 1_000 }]);
  expect(recorded.of("topic_caught_up")).toEqual([{ topic: "a", records: 1_000, seconds: 10 }]);
});

test("it is done when every partition is, and then no more is said", () => {
  begins("a", 200, 100);
  now = 1_500;
  read("a", 0, 200);
  expect(recorded.of("topic_caught_up")).toEqual([]);
  read("a", 1, 100);
  now = 10_000;
  progress.tell();

  expect(recorded.events).toEqual([
    { event: "topic_caught_up", fields: { topic: "a", records: 100, seconds: 1.5 } },
  ]);
});

test("nothing is said of a topic that has nothing to read, nor while nothing is read", () => {
  begins("a", 100);
  begins("b", 200);
  read("a", 0, 100);
  for (now = 10_000; now < 50_000; now += 10_000) progress.tell();

  expect(recorded.events).toEqual([]);
});

test("of several topics there is one line, and what one of them had counts until all are done", () => {
  begins("a", 200);
  begins("b", 400);
  now = 10_000;
  read("a", 0, 200);
  progress.tell();
  now = 20_000;
  read("b", 0, 250, 400);
  progress.tell();

  expect(recorded.of("catching_up")).toMatchObject([
    { topics: ["b"], done: 100, total: 400, perSecond: 10, secondsLeft: 30 },
    { topics: ["b"], done: 250, total: 400, perSecond: 15, secondsLeft: 10 },
  ]);
  read("b", 0, 400);
  begins("a", 200, 150);
  now = 30_000;
  read("a", 1, 120, 150);
  progress.tell();
  expect(recorded.of("catching_up").at(-1)).toMatchObject({ topics: ["a"], done: 20, total: 50 });
});

test("a partition that is added meanwhile adds to it, and takes nothing back of what was done", () => {
  begins("a", 1_100);
  now = 10_000;
  read("a", 0, 1_000, 1_100);
  progress.tell();
  begins("a", 1_100, 600);
  now = 20_000;
  read("a", 1, 150, 600);
  progress.tell();

  expect(recorded.of("catching_up")).toMatchObject([
    { done: 900, total: 1_000 },
    { done: 950, total: 1_500 },
  ]);
});

test("only some of many topics are named", () => {
  const names = Array.from({ length: 12 }, (_, i) => `t${i}`);
  for (const name of names) begins(name, 200);
  now = 10_000;
  read("t0", 0, 150, 200);

  progress.tell();

  expect(recorded.of("catching_up")).toMatchObject([{ topics: names.slice(0, 8), others: 4, total: 1_200 }]);
});

test("a topic that goes is no longer waited for", () => {
  begins("a", 200);
  begins("b", 200);
  progress.forget("a");
  now = 10_000;
  read("b", 0, 150, 200);
  progress.tell();

  expect(recorded.of("catching_up")).toMatchObject([{ topics: ["b"], done: 50, total: 100 }]);
});
