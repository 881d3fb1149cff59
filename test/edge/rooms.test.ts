/** Keys without a record: their subscribers wait in rooms, on the real runtime. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({ ROOMS: "1" });
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/room-key-${++keys}`;

async function subscribe(path: string, query = ""): Promise<RawSubscriber> {
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}${query}`);
  await subscriber.verdict();
  return subscriber;
}

async function received(subscriber: RawSubscriber, expected: readonly unknown[]): Promise<void> {
  await subscriber.until(({ updates }) => updates.length >= expected.length, `${expected.length} updates`);
  expect(subscriber.updates.map(({ value }) => JSON.parse(String(value)) as unknown)).toEqual(expected);
  expect(subscriber.violations).toEqual([]);
  expect(subscriber.resets).toEqual([]);
}

/** As long as the platform leaves an idle object in memory, which nobody tells of; then its memory goes. */
async function sleep(room: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  await edge.evictRelay(room);
}

const noted = async () => [...(await edge.rows(0)), ...(await edge.rows(1))].sort();

test("[L16] [S6] who waits gets the key's first record and all that follow, and who comes later gets them from its own object", async () => {
  const path = newPath();
  const first = await subscribe(path);
  const second = await subscribe(path, "?from=-");
  expect(second.verdicts).toMatchObject([{ recovered: true }]);
  expect(await noted()).not.toContain(`endpoint ${path}`);

  origin.append(path, 1);
  await Promise.all([received(first, [1]), received(second, [1])]);
  const later = await subscribe(path);
  await received(later, [1]);
  expect(await noted()).toContain(`endpoint ${path}`);

  origin.append(path, 2);
  await Promise.all([received(first, [1, 2]), received(second, [1, 2]), received(later, [1, 2])]);
  const answer = await fetch(`${edge.url}${path}?occupancy`);
  expect(await answer.json()).toEqual({ subscribers: 3 });
  for (const one of [first, second, later]) one.cut();
});

test("[L14] [L16] [S6] [S8] a room that hibernates answers pings asleep, and passes on the next record", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  const room = (await noted()).find((object) => object.startsWith("relay "))?.slice("relay ".length) ?? "";

  await sleep(room);
  subscriber.send('{"ping":1}');
  await subscriber.until(({ others }) => others.length === 1, "a pong");
  origin.append(path, 1);
  await received(subscriber, [1]);
  await sleep(room);
  origin.append(path, 2);
  await received(subscriber, [1, 2]);
  subscriber.cut();
});

test("[L16] a key is its own object's if its shard can't say that it has no record", async () => {
  const path = newPath();
  origin.answering = false;
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}`);
  await eventually(
    async () => (await noted()).includes(`endpoint ${path}`),
    () => "an object of its own",
  );
  origin.answerHeld();
  await subscriber.verdict();
  subscriber.cut();
});

test("[L16] [E1] [H12] event streams and lists of what followed wait in rooms, too", async () => {
  const path = newPath();
  const before = (await edge.operations())["object_request.relay"] ?? 0;
  const list = await fetch(`${edge.url}${path}?from=-`);
  expect(await list.json()).toMatchObject({ position: expect.any(String), updates: [] });

  const stop = new AbortController();
  const events = await fetch(`${edge.url}${path}`, {
    headers: { Accept: "text/event-stream" },
    signal: stop.signal,
  });
  expect(events.status).toBe(200);
  expect((await edge.operations())["object_request.relay"]).toBeGreaterThanOrEqual(before + 2);
  expect(await noted()).not.toContain(`endpoint ${path}`);
  stop.abort();
});
