/** How many subscribers there are, over whatever they come, on the real edge. */
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { RawEvents } from "../support/raw-events.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";

const A = pathOf("t", "a");

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: {}, quiet: { stream: { occupancy: "nobody" } } } });
  deployment.produce("t", [{ key: utf8("a"), value: utf8("1") }]);
});

afterAll(() => deployment?.stop());

async function occupancyOf(path: string, init?: RequestInit): Promise<[status: number, body: unknown]> {
  const answer = await fetch(`${deployment.url}${path}?occupancy`, init);
  const text = await answer.text();
  return [answer.status, text === "" ? undefined : JSON.parse(text)];
}

/** It is right within a second of what the edge knows; when that is, only the edge knows. */
async function comesTo(subscribers: number): Promise<void> {
  await eventually(async () => {
    const [, body] = await occupancyOf(A);
    return (body as { subscribers: number }).subscribers === subscribers;
  }, `${subscribers} subscribers`);
}

test("[O1] [O2] counts WebSockets, event streams and GETs that wait, and none that has gone", async () => {
  expect(await occupancyOf(A)).toEqual([200, { subscribers: 0 }]);
  const sockets = [deployment.subscribe(A), deployment.subscribe(A)];
  await Promise.all(sockets.map((socket) => socket.verdict()));
  // Asked for the first time: the object says it at once.
  expect(await occupancyOf(A)).toEqual([200, { subscribers: 2 }]);
  const stream = new RawEvents(deployment.url + A);
  await stream.until((events) => events.of("verdict").length === 1, "a verdict");
  await comesTo(3);
  const tag = (await fetch(deployment.url + A)).headers.get("ETag") ?? "";
  const waits = new AbortController();
  const headers = { "If-None-Match": tag, Prefer: "wait=30" };
  const poll = fetch(deployment.url + A, { headers, signal: waits.signal });
  await comesTo(4);

  deployment.produce("t", [{ key: utf8("a"), value: utf8("2") }]);
  expect((await poll).status).toBe(200);
  await comesTo(3);
  stream.cut();
  await comesTo(2);
  // One that says goodbye, and one that doesn't.
  await sockets[0]?.close();
  sockets[1]?.cut();
  await comesTo(0);
  expect((await fetch(`${deployment.url}${A}?occupancy`, { method: "HEAD" })).status).toBe(200);
});

test("[O4] whoever wants to know is told when it changes, on a WebSocket and in an event stream, and nobody else", async () => {
  const path = pathOf("t", "told");
  const numbers = (frames: readonly Record<string, unknown>[]) =>
    frames.map(({ subscribers }) => subscribers);
  const socket = new RawSubscriber(`${deployment.url.replace("http", "ws")}${path}?occupancy`);
  await socket.until(({ others }) => numbers(others).at(-1) === 1, "itself");
  const stream = new RawEvents(`${deployment.url}${path}?occupancy`);
  await stream.until((events) => numbers(events.of("occupancy")).at(-1) === 2, "both");
  await socket.until(({ others }) => numbers(others).at(-1) === 2, "both");
  const other = deployment.subscribe(path);
  await other.verdict();
  await stream.until((events) => numbers(events.of("occupancy")).at(-1) === 3, "all three");
  await socket.until(({ others }) => numbers(others).at(-1) === 3, "all three");
  await other.close();
  await socket.close();
  await stream.until((events) => numbers(events.of("occupancy")).at(-1) === 1, "itself");
  stream.cut();
  expect(other.others).toEqual([]);
  expect([...socket.violations, ...stream.violations, ...other.violations]).toEqual([]);
});

test("[O1] [O2] [O4] sums over the endpoint's own object and relays, and tells connections of many endpoints, too", async () => {
  const [one, two] = [pathOf("t", "one"), pathOf("t", "two")];
  const numberOf = async (path: string) => (await occupancyOf(path))[1];
  const socket = deployment.subscribe(one);
  await socket.verdict();
  const connect = (client: string) =>
    new RawConnection(`${deployment.url.replace("http", "ws")}/$/connect?client=${client}`).open();
  // By their names they may be at one relay, or at two.
  const connections = await Promise.all(["a", "b", "c"].map(connect));
  for (const connection of connections) await connection.answered(connection.subscribe([one, two]));
  await eventually(async () => isDeepStrictEqual(await numberOf(one), { subscribers: 4 }), "four");
  expect(await numberOf(two)).toEqual({ subscribers: 3 });

  const [first, second, third] = connections;
  first?.send({ id: 1_000, sub: two, occupancy: true });
  const told = (subscribers: number) => (connection: RawConnection) =>
    isDeepStrictEqual(connection.others.at(-1), { occupancy: two, subscribers });
  await first?.until(told(3), "three");
  await second?.answered([second.unsubscribe(two)]);
  await first?.until(told(2), "two");
  third?.close();
  await first?.until(told(1), "itself");
  expect(second?.others).toEqual([]);
  for (const connection of connections) connection.close();
  await socket.close();
  await eventually(async () => isDeepStrictEqual(await numberOf(one), { subscribers: 0 }), "nobody");
  for (const { violations } of connections) expect(violations).toEqual([]);
});

test("[O1] is told of a key without a record, and not of a topic that doesn't tell it, or doesn't exist", async () => {
  const nothing = deployment.subscribe(pathOf("t", "nothing"));
  await nothing.verdict();
  expect(await occupancyOf(pathOf("t", "nothing"))).toEqual([200, { subscribers: 1 }]);
  await nothing.close();
  expect(await occupancyOf(pathOf("quiet", "a"))).toMatchObject([403, { error: { code: "forbidden" } }]);
  expect(await occupancyOf(pathOf("none", "a"))).toMatchObject([404, { error: { code: "unknown_topic" } }]);
});

test("[O2] is right again after the edge was killed: objects say it anew on each link", async () => {
  const socket = deployment.subscribe(A);
  await socket.verdict();
  await comesTo(1);
  await deployment.edge?.stop("SIGKILL");
  deployment.edge = deployment.startEdge();
  await deployment.ready();
  const back = [deployment.subscribe(A, socket.position), deployment.subscribe(A, socket.position)];
  await Promise.all(back.map((one) => one.verdict()));
  await comesTo(2);
  for (const one of back) await one.close();
  await comesTo(0);
}, 120_000);
