/** Clients that ask for much and read nothing, on workerd as `npm run edge` runs it. */
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

const LARGE = "/quotes/large";
const SMALL = "/quotes/small";
const VALUE_BYTES = 8_000_000;

let edge: WorkerdEdge;
let port: number;

beforeAll(async () => {
  edge = await WorkerdEdge.start({ UNSENT_MEGABYTES: "40" });
  ({ port } = edge);
  edge.origin.append(LARGE, "x".repeat(VALUE_BYTES));
  edge.origin.append(SMALL, 1);
}, 60_000);
afterAll(() => edge.close());

/** Asks, and never reads. */
function deafGet(path: string): Socket {
  const socket = connect(port, "127.0.0.1").pause();
  socket.on("error", () => undefined);
  socket.write([`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, "", ""].join("\r\n"));
  return socket;
}

/** Subscribes, and never reads. */
function deaf(path: string): Socket {
  const socket = connect(port, "127.0.0.1").pause();
  socket.on("error", () => undefined);
  const head = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
  ];
  const key = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
  socket.write([...head, ...key, "", ""].join("\r\n"));
  return socket;
}

const subscribe = (path: string) => new RawSubscriber(`ws://127.0.0.1:${port}${path}`);

/** How a client that reads is answered. */
async function answerOf(path: string): Promise<"a value" | "overloaded" | "something else"> {
  const subscriber = subscribe(path);
  // workerd may leave a connection open when it has closed the WebSocket on it, so that the client hears of it late.
  let reason = "";
  subscriber.socket.on("upgrade", ({ socket }) => {
    // Before it is open, whoever listens would be handed the first frames in place of it.
    subscriber.socket.on("open", () => {
      socket.on("data", (chunk: Buffer) => {
        if (chunk.length < 200) reason += chunk.toString("latin1");
      });
    });
  });
  await eventually(
    () => subscriber.updates.length > 0 || subscriber.closed !== undefined || reason.includes("overloaded"),
    "an answer",
  );
  const isServed = subscriber.updates.length > 0;
  subscriber.socket.terminate();
  return isServed ? "a value" : reason.includes("overloaded") ? "overloaded" : "something else";
}

test("[S9] first answers that nobody reads fill no more than their budget; small ones go on, and large ones once there is room", async () => {
  const all = Array.from({ length: 20 }, () => deaf(LARGE));
  // The budget is full when somebody who would read is told so.
  await eventually(async () => (await answerOf(LARGE)) === "overloaded", "a full budget");

  const small = subscribe(SMALL);
  await small.until(({ updates }) => updates.length === 1, "the value");
  for (const socket of all) socket.destroy();

  await eventually(async () => (await answerOf(LARGE)) === "a value", "room again", 60_000);
  expect(small.violations).toEqual([]);
  await small.close();
}, 120_000);

test("[H1] large answers that nobody reads are cut off when others wait for room", async () => {
  const { url } = edge;
  const all = Array.from({ length: 20 }, () => deafGet(LARGE));
  await eventually(async () => (await fetch(url + SMALL)).status === 200, "a small answer");
  // Nobody hangs up.
  await eventually(async () => {
    const answer = await fetch(url + LARGE);
    return answer.status === 200 && (await answer.text()).length >= VALUE_BYTES;
  }, "room");

  const taken = await Promise.all(
    all.map(
      (socket) =>
        new Promise<number>((resolve) => {
          let bytes = 0;
          socket.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes >= VALUE_BYTES) resolve(bytes);
          });
          socket.once("close", () => resolve(bytes));
          socket.resume();
        }),
    ),
  );
  expect(taken.filter((bytes) => bytes < VALUE_BYTES).length).toBeGreaterThan(0);
  for (const socket of all) socket.destroy();
}, 120_000);
