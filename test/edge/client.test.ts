/** The client of applications against the real edge: what iterations read, slowly, over a line that breaks. */
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, type Subscription } from "../../shared/client/index.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { LONG } from "../support/long.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const ENDPOINTS = 20;
const CUTS = LONG ? 100 : 6;
/** Fewer than what comes at once, so that subscriptions leave and come back again and again. */
const SIZE = 10;
/** The machine may be busy with much else. */
const PATIENCE_MS = 120_000;

let edge: TestEdge;
let origin: ScriptedOrigin;
let proxy: TcpProxy;
let client: Client;

beforeAll(async () => {
  edge = await startEdge();
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
  proxy = await TcpProxy.open(Number(new URL(edge.url).port));
  client = new Client(`http://127.0.0.1:${proxy.port}`, { backoff: { baseMs: 50, maxMs: 500 } });
}, 240_000);
afterAll(async () => {
  client.close();
  await proxy.close();
  origin.cut();
  await edge.close();
});

test(`[P5] [M2] [M5] a slow iteration over ${ENDPOINTS} endpoints misses nothing and gets nothing twice through ${CUTS} cuts`, async () => {
  const paths = Array.from({ length: ENDPOINTS }, (_, i) => `/quotes/slow-${i}`);
  const written = new Map(paths.map((path) => [path, 1]));
  for (const path of paths) origin.append(path, 1);
  const group = client.subscribeMany<number>(paths, { buffer: { size: SIZE } });
  const read = new Map(paths.map((path) => [path, [] as number[]]));
  const told: string[] = [];
  let pauses = 0;
  group.on("gap", ({ subscription, event }) => told.push(`${subscription.endpoint} gap ${event.cause}`));
  group.on("error", ({ subscription, event }) => told.push(`${subscription.endpoint} ${event.code}`));
  let isWriting = true;
  const isDone = () => !isWriting && paths.every((path) => read.get(path)?.at(-1) === written.get(path));
  const reading = (async () => {
    for await (const { endpoint, value, gap, skipped } of group) {
      read.get(endpoint)?.push(value as number);
      if (gap !== undefined || skipped > 0) told.push(`${endpoint} lacks something`);
      if ([...group.subscriptions.values()].some(({ phase }) => phase === "paused")) pauses++;
      if (isDone()) break;
      await turn();
    }
  })();

  // Before that nothing is promised but the latest.
  const hasBegun = () => paths.every((path) => read.get(path)?.length === 1);
  await eventually(hasBegun, "it has read the first of each", PATIENCE_MS);
  for (let cut = 0; cut < CUTS; cut++) {
    const before = [...read.values()].reduce((sum, { length }) => sum + length, 0);
    for (const path of paths) {
      const value = (written.get(path) ?? 0) + 1;
      written.set(path, value);
      origin.append(path, value);
    }
    proxy.cut();
    const isFurther = () => [...read.values()].reduce((sum, { length }) => sum + length, 0) > before;
    await eventually(isFurther, "it reads on", PATIENCE_MS);
  }
  isWriting = false;
  // One more, so that there is something to read after that.
  for (const path of paths) {
    written.set(path, (written.get(path) ?? 0) + 1);
    origin.append(path, written.get(path) ?? 0);
  }
  await reading;

  for (const [path, values] of read)
    expect([path, values]).toEqual([path, Array.from({ length: written.get(path) ?? 0 }, (_, i) => i + 1)]);
  expect(told).toEqual([]);
  expect(pauses).toBeGreaterThan(0);
}, 600_000);

test("[P3] [S3] each of many that leave after a few updates goes on where it was, with nothing missing", async () => {
  const path = "/quotes/left";
  for (let value = 1; value <= 20; value++) origin.append(path, value);
  await eventually(
    async () => (await client.get<number>(path))?.value === 20,
    "the edge has them",
    PATIENCE_MS,
  );
  const values: number[] = [];
  let from: string | undefined = "-";
  while (values.at(-1) !== 20) {
    const subscription: Subscription<number> = client.subscribe<number>(path, {
      ...{ from, buffer: { size: 3 } },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    let count = 0;
    for await (const update of subscription) {
      values.push(update.value as number);
      if (++count === 4 || update.value === 20) break;
    }
    expect(subscription.recovered).toBe(true);
    from = subscription.position;
  }

  expect(values).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
}, 600_000);
