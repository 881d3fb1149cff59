/**
 * Objects that lose their memory, and shards that lose everything, in the real runtime.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge();
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/key-${++keys}`;

/** A live subscriber. */
async function subscribe(path: string, from?: string): Promise<RawSubscriber> {
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}${from === undefined ? "" : `?from=${from}`}`);
  await subscriber.verdict();
  return subscriber;
}

async function received(subscriber: RawSubscriber, expected: readonly unknown[]): Promise<void> {
  await subscriber.until(({ updates }) => updates.length >= expected.length, `${expected.length} updates`);
  expect(subscriber.updates.map(({ value }) => JSON.parse(String(value)) as unknown)).toEqual(expected);
  expect(subscriber.violations).toEqual([]);
  expect(subscriber.resets).toEqual([]);
}

const created = async () => Number((await edge.operations())["object_created.endpoint"]);

test("[S6] [S8] an object that hibernates answers pings asleep, wakes for the next update and misses nothing", async () => {
  const path = newPath();
  const subscribers = [await subscribe(path), await subscribe(path), await subscribe(path)];
  origin.append(path, 1);
  await Promise.all(subscribers.map((subscriber) => received(subscriber, [1])));
  const before = await created();

  await edge.evict(path);
  for (const subscriber of subscribers) subscriber.send('{"ping":1}');
  await Promise.all(subscribers.map((one) => one.until(({ others }) => others.length === 1, "a pong")));
  expect(await created()).toBe(before);
  origin.append(path, 2);

  await Promise.all(subscribers.map((subscriber) => received(subscriber, [1, 2])));
  expect(await created()).toBe(before + 1);
});

test("[S6] an object that hibernates between all updates passes each on once, and joins and returns are served", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  const positions: string[] = [];
  const expected: number[] = [];

  for (let i = 0; i < 8; i++) {
    positions.push(`e.0:${origin.append(path, i).offset}`);
    expected.push(i);
    await received(subscriber, expected);
    await edge.evict(path);
  }
  const fresh = await subscribe(path);
  const back = await subscribe(path, positions[2]);

  await received(fresh, [7]);
  await received(back, [3, 4, 5, 6, 7]);
  origin.append(path, 8);
  await Promise.all([
    received(subscriber, [...expected, 8]),
    received(fresh, [7, 8]),
    received(back, [3, 4, 5, 6, 7, 8]),
  ]);
});

test("[S4] [S6] who waits for a verdict still gets it when the object slept meanwhile", async () => {
  const path = newPath();
  origin.append(path, 1);
  origin.answering = false;
  const waiting = new RawSubscriber(`${edge.wsUrl}${path}`);
  await waiting.until(({ others }) => others.length > 0, "a wait");

  await edge.evict(path);
  origin.answerHeld();

  await received(waiting, [1]);
});

test("[S2] a socket that slept may subscribe again", async () => {
  const path = newPath();
  const first = `e.0:${origin.append(path, 1).offset}`;
  origin.append(path, 2);
  const subscriber = await subscribe(path);
  await received(subscriber, [2]);

  await edge.evict(path);
  subscriber.send({ id: 1, sub: path, from: first });
  await subscriber.until(({ verdicts }) => verdicts.length === 2, "a second verdict");

  expect(subscriber.verdicts[1]).toMatchObject({ position: first, recovered: true });
  await received(subscriber, [2, 2]);
});

test("[S10] an object that is reset closes its sockets; who comes back by position misses nothing", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  origin.append(path, 1);
  await received(subscriber, [1]);

  await edge.evict(path, "close");
  await subscriber.until(({ closed }) => closed !== undefined, "the close");
  origin.append(path, 2);
  const back = await subscribe(path, subscriber.position);

  expect(await back.verdict()).toMatchObject({ recovered: true });
  await received(back, [2]);
});

test("[L1] [L7] a shard that crashes dials all its objects again, those asleep too, and nobody misses anything", async () => {
  const paths = Array.from({ length: 20 }, newPath);
  const subscribers = await Promise.all(paths.map((path) => subscribe(path)));
  for (const path of paths) origin.append(path, "before");
  await Promise.all(subscribers.map((subscriber) => received(subscriber, ["before"])));
  for (const path of paths.slice(0, 10)) await edge.evict(path);

  await Promise.all([edge.crashShard(0), edge.crashShard(1)]);
  await eventually(
    () => origin.uplinks.every(({ closed }) => closed !== undefined),
    "the origin has noticed",
  );
  for (const path of paths) origin.append(path, "meanwhile");
  await origin.connect();
  await Promise.all(subscribers.map((subscriber) => received(subscriber, ["before", "meanwhile"])));
  for (const path of paths) origin.append(path, "after");

  await Promise.all(subscribers.map((subscriber) => received(subscriber, ["before", "meanwhile", "after"])));
  expect(subscribers.every(({ closed }) => closed === undefined)).toBe(true);
}, 30_000);

test("[L1] attaching writes one row, and nothing that follows writes any", async () => {
  const path = newPath();
  const before = await edge.operations();
  const subscriber = await subscribe(path);
  const hasRow = async () => (await edge.operations()).rows_written !== before.rows_written;
  await eventually(hasRow, "a row for the object");
  const attached = await edge.operations();

  for (let i = 0; i < 50; i++) origin.append(path, i);
  await received(
    subscriber,
    Array.from({ length: 50 }, (_, i) => i),
  );

  const after = await edge.operations();
  expect(Number(attached.rows_written) - Number(before.rows_written)).toBe(1);
  expect(after.rows_written).toBe(attached.rows_written);
  expect(after.alarm).toBe(0);
});
