/**
 * Origins that come, go, misbehave and take over from one another, in the real runtime.
 */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge();
}, 60_000);
beforeEach(async () => {
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
  return () => origin.cut();
});
afterAll(() => edge.close());

const newPath = () => `/quotes/key-${++keys}`;

/** Another origin that reads the same log, for as long as a test runs. */
async function standBy(): Promise<ScriptedOrigin> {
  const standby = new ScriptedOrigin({ url: edge.url, log: origin.log, name: "standby" });
  onTestFinished(() => standby.cut());
  return standby.connect();
}

async function subscribe(path: string): Promise<RawSubscriber> {
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}`);
  await subscriber.verdict();
  return subscriber;
}

async function received(subscriber: RawSubscriber, expected: readonly unknown[]): Promise<void> {
  await subscriber.until(({ updates }) => updates.length >= expected.length, `${expected.length} updates`);
  expect(subscriber.updates.map(({ value }) => JSON.parse(String(value)) as unknown)).toEqual(expected);
  expect(subscriber.violations).toEqual([]);
}

test("[U12] [L7] an origin that comes anew takes over: its older uplinks are replaced, and subscribers get what both wrote", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  origin.append(path, 1);
  await received(subscriber, [1]);
  const generation = origin.uplinkOf(path).hello?.generation ?? 0;

  const newer = new ScriptedOrigin({ url: edge.url, log: origin.log });
  newer.appendSilently(path, [2]);
  await newer.connect();
  await eventually(() => origin.uplinks.every(({ closed }) => closed !== undefined), "the older is closed");
  newer.append(path, 3);

  await received(subscriber, [1, 2, 3]);
  for (const { closed } of origin.uplinks) expect(closed).toEqual({ code: 4003, reason: "replaced" });
  expect(newer.uplinkOf(path).hello?.generation).toBeGreaterThan(generation);
  newer.cut();
});

test("[U11] [U13] [U14] [L7] an origin of another name stands by; when the active one goes nobody is told to wait", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  const standby = await standBy();
  origin.append(path, 1);
  await received(subscriber, [1]);
  expect(standby.attaches).toEqual([]);
  expect(standby.uplinkOf(path).hello?.role).toBe("standby");

  origin.cut();
  await eventually(() => standby.linksOf(path).length > 0, "the standby is asked");
  standby.append(path, 2);

  await received(subscriber, [1, 2]);
  expect(standby.attaches.find(({ endpoint }) => endpoint === path)).toMatchObject({
    id: 0,
    from: new Map([["e.0", 0]]),
  });
  expect(subscriber.others).toEqual([]);
});

test("[U9] [U13] one that pings is heard; one that falls silent is replaced at a standby's heartbeat", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  const standby = await standBy();
  const beats = setInterval(() => standby.beat(), 200);
  const pings = setInterval(() => origin.ping(), 200);
  const started = performance.now();
  await eventually(() => performance.now() - started > 5_000, "more than a deadline");
  expect(origin.uplinkOf(path).closed).toBeUndefined();

  clearInterval(pings);
  await eventually(() => standby.linksOf(path).length > 0, "the standby is asked");
  clearInterval(beats);
  origin.append(path, 1);
  standby.append(path, 2);

  await received(subscriber, [1, 2]);
  await eventually(() => origin.uplinkOf(path).closed !== undefined, "the silent one is closed");
  expect(origin.uplinkOf(path).closed).toEqual({ code: 4003, reason: "replaced" });
}, 120_000);

test("[U13] what a replaced one sends before it has heard of that arrives: it wasn't dead", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  const fenced = origin.uplinkOf(path);
  // It hears nothing, and says nothing for longer than a deadline.
  fenced.socket.pause();
  const standby = await standBy();
  const beats = setInterval(() => standby.beat(), 200);
  await eventually(() => standby.linksOf(path).length > 0, "the standby is asked");
  clearInterval(beats);
  const arrived = async () => Number((await edge.operations())["websocket_message_in.shard_uplink"]);
  const before = await arrived();

  origin.append(path, 1);

  await eventually(async () => (await arrived()) > before, "it has arrived");
  standby.append(path, 2);
  await received(subscriber, [1, 2]);
  expect(fenced.closed, "it hasn't heard of it").toBeUndefined();
}, 120_000);

test("[U9] an origin that is lost and comes back finds everyone where they were", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);
  origin.append(path, 1);
  await received(subscriber, [1]);

  origin.cut();
  await eventually(async () => (await fetch(`${edge.url}${path}`)).status === 503, "the shard has noticed");
  origin.appendSilently(path, [2, 3]);
  const asked = origin.attaches.length;
  await origin.connect();

  await received(subscriber, [1, 2, 3]);
  const again = origin.attaches.slice(asked).filter(({ endpoint }) => endpoint === path);
  expect(again.map(({ id }) => id)).toEqual([0]);
});

test("[U7] [S4] without an origin subscribers wait, and are served by the next", async () => {
  const path = newPath();
  origin.append(path, 1);
  origin.cut();
  await eventually(
    async () => (await fetch(`${edge.url}/$/health`)).status === 503,
    "the shards have noticed",
  );
  const waiting = new RawSubscriber(`${edge.wsUrl}${path}`);
  await waiting.until(({ others }) => others.length > 0, "a wait");
  expect(waiting.others[0]).toMatchObject({ id: 0, wait: { code: "unavailable" } });

  await origin.connect();

  await received(waiting, [1]);
});

test.each([
  ["that has no address", "what?"],
  ["that is malformed", '1\t{"e":"/quotes/x"}'],
  ["that is no JSON", "0\t{"],
  ["of bytes", new Uint8Array([1, 2, 3])],
])("[C5] a frame %s ends that uplink only: links, subscribers and the other shards go on", async (_, bad) => {
  const path = newPath();
  const subscriber = await subscribe(path);

  origin.raw(path, bad);
  const { uplinks } = origin;
  await eventually(() => origin.uplinkOf(path).closed !== undefined, "the close");
  expect(origin.uplinkOf(path).closed).toEqual({ code: 4500, reason: "bad_frame" });
  expect(uplinks.filter(({ closed }) => closed !== undefined)).toHaveLength(1);
  await origin.connect();
  origin.append(path, 1);

  await received(subscriber, [1]);
  expect(subscriber.closed).toBeUndefined();
});

test("[U3] frames to links and questions that there aren't are dropped, and nothing ends", async () => {
  const path = newPath();
  const subscriber = await subscribe(path);

  origin.raw(path, '9999\t{"e":"/quotes/gone","p":"e.0:1","v":1}');
  origin.raw(path, `?9999\t{"latest":"${path}","position":"-","count":0}`);
  origin.raw(path, '0\t{"later":"kind"}');
  origin.append(path, 1);

  await received(subscriber, [1]);
  expect(origin.uplinkOf(path).closed).toBeUndefined();
  await eventually(
    () => origin.detaches.some(({ link }) => link === 9_999),
    "it is told that nobody is there",
  );
});

test("[S8] [U9] the runtime answers an origin's pings", async () => {
  const { socket } = origin.uplinkOf(newPath());
  const before = await edge.operations();

  const pings = 50;
  const pongs = new Promise<string[]>((resolve) => {
    const heard: string[] = [];
    socket.on("message", (data) => heard.push(String(data)) === pings && resolve(heard));
  });
  for (let i = 0; i < pings; i++) socket.send('{"ping":1}');

  expect(new Set(await pongs)).toEqual(new Set(['{"pong":1}']));
  // None of them woke the shard; what an earlier test sent may still have come in meanwhile.
  const name = "websocket_message_in.shard_uplink";
  expect(((await edge.operations())[name] ?? 0) - (before[name] ?? 0)).toBeLessThan(pings / 2);
});

test("[U4] only what is watched is attached", async () => {
  const watched = newPath();
  const unwatched = newPath();
  await subscribe(watched);

  await fetch(`${edge.url}${unwatched}`);

  expect(origin.linksOf(watched)).toHaveLength(1);
  expect(origin.linksOf(unwatched)).toHaveLength(0);
});

test("an origin that sends 20,000 updates of 200 endpoints at once loses none", async () => {
  const paths = Array.from({ length: 200 }, newPath);
  const subscribers = await Promise.all(paths.map((path) => subscribe(path)));

  origin.appendBatch(
    paths,
    Array.from({ length: 20_000 }, (_, i) => Math.floor(i / paths.length)),
  );

  const expected = Array.from({ length: 100 }, (_, i) => i);
  await Promise.all(subscribers.map((subscriber) => received(subscriber, expected)));
}, 120_000);
