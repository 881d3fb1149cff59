/** Endpoints as event streams, in the real runtime. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawEvents } from "../support/raw-events.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({ AUTH_ISSUERS });
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/events-${++keys}`;

function open(path: string, headers: Record<string, string> = {}): RawEvents {
  return new RawEvents(`${edge.url}${path}`, headers);
}

/** One that has its verdict. */
async function follow(path: string, headers: Record<string, string> = {}): Promise<RawEvents> {
  const events = open(path, headers);
  await events.until((one) => one.of("verdict").length > 0 || one.ended, "a verdict");
  return events;
}

async function received(events: RawEvents, values: readonly unknown[]): Promise<RawEvents> {
  await events.until(({ updates }) => updates.length >= values.length, `${values.length} updates`);
  expect(events.values.map((value) => (value === null ? null : JSON.parse(value.toString())))).toEqual(
    values,
  );
  expect(events.violations).toEqual([]);
  return events;
}

const created = async () => Number((await edge.operations())["object_created.endpoint"]);
const sockets = async (path: string) => (await edge.attachments(path)).length;

test("[E1] a GET that accepts events streams the endpoint: a verdict, the latest update, then what comes", async () => {
  const path = newPath();
  const first = origin.append(path, 1);
  const events = await follow(path);
  origin.append(path, 2);
  await received(events, [1, 2]);

  expect(events.status).toBe(200);
  expect(events.headers).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "access-control-allow-origin": "*",
  });
  expect(events.retryMs).toBeGreaterThan(0);
  expect(events.events.map(({ type }) => type)).toEqual(["verdict", "message", "message"]);
  expect(events.of("verdict")[0]).toMatchObject({ head: `e.0:${first.offset}` });
  expect(events.lastId).toBe(origin.headOf(path));
  events.cut();
});

test("[E6] a client that goes leaves its object at once", async () => {
  const path = newPath();
  const events = await follow(path);
  expect(await sockets(path)).toBe(1);
  const at = performance.now();
  events.cut();
  await eventually(async () => (await sockets(path)) === 0, "the object has no socket");
  console.log("left after", performance.now() - at);
});

describe("slow", () => {
  test("[E6] probe", async () => {
    const path = newPath();
    const events = new RawEvents(`${edge.url}${path}`, {}, { reads: false });
    await events.until(({ status }) => status !== undefined, "an answer");
    await eventually(async () => (await sockets(path)) === 1, "one socket");
    let n = 0;
    for (; n < 400 && (await sockets(path)) === 1; n++) {
      origin.append(path, "x".repeat(100_000));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log("closed after", n * 100, "kB", await sockets(path));
    events.read();
    await events.until(({ ended }) => ended, "the end");
    console.log(events.updates.length, events.of("error"), events.violations);
  });
});
void created;
void tokenOf;
