/** The writers of a topic that gets partitions, step by step. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import type { WriterNews } from "../../../origin/publish/topic-writers.ts";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { range } from "../../support/contract-records.ts";
import { ModelSink, ModelTopic } from "../../support/model-sink.ts";
import { codeOf, publishOf } from "../../support/sink-contract.ts";

const STEP_MS = 5;
/** For whatever is under way to be over. */
const OVER_MS = 1_000;
const KEPT_MS = 2 * TIME_LIMITS.publishWindowMs;

let topic: ModelTopic;
let sink: ModelSink;
let publisher: Publisher;
let news: WriterNews[];

beforeEach(() => {
  vi.useFakeTimers();
  topic = new ModelTopic(2);
  topic.settled.add(2);
  news = [];
  open();
});
afterEach(async () => {
  await publisher.close();
  vi.useRealTimers();
});

/** An origin that knows nothing of before. */
function open(): void {
  sink = new ModelSink(topic, { delay: () => STEP_MS, isLost: () => false });
  publisher = new Publisher({
    sink,
    marker: new Marker([Buffer.alloc(32, 1)]),
    announce: (one) => news.push(one),
  });
}

/** Grows, and is seen by this origin at its next look. */
function grow(more: number): void {
  topic.grow(more);
  sink.seen = topic.partitions.length;
}

/** A key that is in one partition of two, and in another of three. */
function keyOf(before: number, after: number): Buffer {
  const keys = range(0, 1_000).map((i) => Buffer.from(`key ${i}`));
  const found = keys.find((key) => partitionOf(key, 2) === before && partitionOf(key, 3) === after);
  if (found === undefined) throw new Error("there is no such key");
  return found;
}

const requestOf = (key: Buffer, id: string) =>
  publishOf("t", {
    key,
    value: Buffer.from(id),
    id: { issuer: "i", subject: "s", key: id, chosenBy: "client" },
    deadline: performance.now() + 9_500,
  });

async function publish(key: Buffer, id: string) {
  const answer = publisher.publish(requestOf(key, id));
  await vi.advanceTimersByTimeAsync(OVER_MS);
  return answer;
}

const claims = () => topic.partitions.map((partition) => partition.claims);
const lengths = () => topic.partitions.map(({ known }) => known.length);
/** Until the topic is looked at again. */
const look = () => vi.advanceTimersByTimeAsync(2 * TIME_LIMITS.topicLookMs + 1);

test("of a topic that is settled no partition is claimed but the key's", async () => {
  await publish(keyOf(0, 2), "a");

  expect(claims()).toEqual([1, 0]);
});

test("of one that isn't known all others are, once, and that is told to others when it was watched for long enough", async () => {
  topic.settled.clear();
  const key = keyOf(0, 2);
  await publish(key, "a");
  await publish(key, "b");
  expect([claims(), lengths()]).toEqual([
    [1, 1],
    [2, 0],
  ]);

  await vi.advanceTimersByTimeAsync(KEPT_MS);
  expect([...topic.settled]).toEqual([2]);
});

test("a publish that comes again after its key has moved is answered from where it was, and others are written where it is", async () => {
  const key = keyOf(0, 2);
  const first = await publish(key, "a");
  grow(1);
  await look();

  expect(await publish(key, "a")).toEqual(first);
  expect(codeOf(await publisher.publish({ ...requestOf(key, "a"), value: null }))).toBe("id_reused");
  expect(await publish(key, "b")).toEqual({ position: "t.2:0" });
  // What was claimed for that was claimed once.
  expect([claims(), lengths()]).toEqual([
    [2, 0, 1],
    [1, 0, 1],
  ]);
  expect(news.at(-1)).toMatchObject({ partitions: 3 });
  await vi.advanceTimersByTimeAsync(KEPT_MS);
  expect([...topic.settled]).toEqual([2, 3]);
});

test("so it is if the origin didn't know that it has grown, but whoever leads the partition does", async () => {
  const key = keyOf(0, 2);
  topic.grow(1);
  const answer = publisher.publish(requestOf(key, "a"));
  sink.seen = 3;
  await vi.advanceTimersByTimeAsync(OVER_MS);

  expect(await answer).toEqual({ position: "t.2:0" });
  expect(lengths()).toEqual([0, 0, 1]);
});

test("what waits where its key no longer belongs is written where it does, once", async () => {
  const [moved, stays] = [keyOf(0, 2), keyOf(0, 0)];
  await publish(stays, "first");
  const under = range(0, 20).map((i) => publisher.publish(requestOf(i % 2 === 0 ? moved : stays, `${i}`)));
  grow(1);
  await look();
  const more = publisher.publish(requestOf(moved, "more"));
  await vi.advanceTimersByTimeAsync(OVER_MS);

  expect(new Set((await Promise.all([...under, more])).map(codeOf))).toEqual(new Set(["published"]));
  expect(topic.partitions.flatMap(({ known }) => known)).toHaveLength(22);
  expect(new Set(topic.partitions.flatMap(({ known }) => known.map(({ id }) => id))).size).toBe(22);
});

test("while a partition can't be claimed where a publish may be, it is refused with why, and others aren't", async () => {
  const [moved, stays] = [keyOf(0, 2), keyOf(1, 1)];
  await publish(stays, "first");
  topic.leaderless.add(0);
  grow(1);
  await look();

  expect(await publish(moved, "a")).toMatchObject({
    error: { code: "unavailable", message: "nobody leads 0" },
  });
  expect(codeOf(await publish(stays, "b"))).toBe("published");
  topic.leaderless.clear();
  await vi.advanceTimersByTimeAsync(OVER_MS);
  expect(await publish(moved, "c")).toEqual({ position: "t.2:0" });
});

test("what is waited for is answered in time", async () => {
  topic.settled.clear();
  vi.spyOn(sink, "isSettled").mockReturnValue(new Promise(() => {}));
  const key = keyOf(0, 2);
  const late = publisher.publish(requestOf(key, "a"));
  const over = publisher.publish({ ...requestOf(key, "b"), deadline: Number.POSITIVE_INFINITY });
  await vi.advanceTimersByTimeAsync(9_600);
  expect(codeOf(await late)).toBe("unavailable");
  await publisher.close();

  expect(codeOf(await over)).toBe("not_writer");
});
