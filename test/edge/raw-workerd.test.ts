/**
 * The edge as `npm run edge` runs it, on workerd itself: what no harness can show, because it takes time or
 * ends the process.
 */
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import type { ScriptedOrigin } from "../support/scripted-origin.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

const PATH = "/quotes/A";
let edge: WorkerdEdge;
let origin: ScriptedOrigin;
let url: string;

beforeAll(async () => {
  // What is shown is of objects of endpoints.
  edge = await WorkerdEdge.start({ ROOMS: "0" });
  ({ origin, url } = edge);
}, 60_000);
afterAll(() => edge.close());

async function subscribe(from?: string): Promise<RawSubscriber> {
  const query = from === undefined ? "" : `?from=${from}`;
  const subscriber = new RawSubscriber(`${url.replace("http", "ws")}${PATH}${query}`);
  await subscriber.verdict();
  return subscriber;
}

const operations = () => edge.operations();

test("[H7] what some clients offer with every request, h2c, doesn't keep it from being answered", async () => {
  const asked = request(`${url}/$/streams`, {
    headers: {
      Connection: "Upgrade, HTTP2-Settings",
      Upgrade: "h2c",
      "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA",
    },
  }).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  answer.resume();

  expect(answer.statusCode).toBe(200);
});

test("[H15] it has no cache: each GET is answered with what is there now, and says that it can't be kept", async () => {
  for (const value of [1, 2]) {
    origin.append("/quotes/uncached", value);
    const answer = await fetch(`${url}/quotes/uncached`);

    expect([await answer.json(), answer.headers.get("Cache-Control")]).toEqual([value, "no-cache"]);
  }
});

test("only shards and relays have a database, and what they count is told with the rest", async () => {
  const before = await operations();
  await subscribe();
  const more = async (name: string) => ((await operations())[name] ?? 0) - (before[name] ?? 0);

  await eventually(async () => (await more("rows_written")) === 1, "a row for the object");
  expect(await more("object_created.endpoint")).toBe(1);
  expect((await operations())["object_created.shard"]).toBeGreaterThan(0);
  expect(readdirSync(join(edge.folder, "edge/objects"))).toEqual(["RelayObject", "ShardObject"]);
});

test("[S9] [L5] clients that are reset while they are let in leave nothing at their objects, though the runtime doesn't tell of it", async () => {
  const paths = Array.from({ length: 60 }, (_, i) => `/quotes/reset-${i}`);
  const upgrade = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${edge.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  await Promise.all(
    paths.map(async (path, i) => {
      const socket = connect(edge.port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(upgrade(path));
      // At whatever point of being let in.
      await new Promise((resolve) => setTimeout(resolve, i));
      socket.resetAndDestroy();
    }),
  );
  await subscribe();
  const attached = () => paths.filter((path) => origin.attaches.some(({ endpoint }) => endpoint === path));
  const isDetached = (path: string) => origin.detaches.some(({ endpoint }) => endpoint === path);
  await eventually(() => attached().length > 0, "some were let in");

  await eventually(
    () => attached().every(isDetached),
    () => `nobody is interested in ${attached().filter((path) => !isDetached(path))}`,
    100_000,
  );
});

test("[S6] [S8] an object that has been idle is really taken out of memory, while its shard stays, and misses nothing", async () => {
  const subscribers = [await subscribe(), await subscribe()];
  origin.append(PATH, 1);
  for (const subscriber of subscribers)
    await subscriber.until(({ updates }) => updates.length === 1, "an update");
  const before = await operations();

  // workerd evicts after ten idle seconds; an object tells of itself only when it wakes.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  for (const subscriber of subscribers) {
    subscriber.send('{"ping":1}');
    await subscriber.until(({ others }) => others.length === 1, "a pong");
  }
  const asleep = await operations();
  origin.append(PATH, 2);
  for (const subscriber of subscribers) {
    await subscriber.until(({ updates }) => updates.length === 2, "an update");
    expect(subscriber.violations).toEqual([]);
  }

  const after = await operations();
  expect(asleep["object_created.endpoint"]).toBe(before["object_created.endpoint"]);
  expect(after["object_created.endpoint"]).toBe(Number(before["object_created.endpoint"]) + 1);
  expect(after["object_created.shard"]).toBe(before["object_created.shard"]);
}, 30_000);

test("[U2] [L1] killed and started again, the edge counts generations on and serves who comes back by position", async () => {
  const subscriber = await subscribe();
  origin.append(PATH, 3);
  await subscriber.until(({ updates }) => updates.length === 2, "an update");
  const generations = origin.uplinks.map(({ hello }) => hello?.generation ?? 0);

  await edge.kill();
  await subscriber.until(({ closed }) => closed !== undefined, "the close");
  origin.appendSilently(PATH, [4]);
  await edge.startAgain();
  const back = await subscribe(subscriber.position);
  await back.until(({ updates }) => updates.length === 1, "an update");

  expect(await back.verdict()).toMatchObject({ recovered: true });
  for (const [shard, generation] of generations.entries())
    expect(origin.uplinks[shard]?.hello?.generation).toBeGreaterThan(generation);
}, 30_000);
