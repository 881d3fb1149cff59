/**
 * Connections of many endpoints that subscribe and vanish without a word, hundreds a second: watches, links, descriptors and
 * memory are what they were in the end. `npm run test:long`: for minutes.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { boundedHeap } from "../support/bounded-heap.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { counted, dwindled, type Held, heldBy } from "../support/leftovers.ts";
import { figure, LONG } from "../support/long.ts";
import { descendants } from "../support/product.ts";
import { RawConnection } from "../support/raw-connection.ts";

const PER_SECOND = 200;
/** The first has the runtime take what it keeps then: what is made once, and what so many at a time need. */
const ROUNDS = LONG ? 3 : 2;
const CONNECTIONS = LONG ? 200 * 60 : 1_000;
/** At a time: memory that more took at once isn't given back. */
const AT_ONCE = 500;
const EACH = 20;
const PATHS = Array.from({ length: 400 }, (_, i) => pathOf("t", `key-${i}`));
/** Of each of workerd's two isolates: what many had left behind wouldn't fit. A relay with nobody takes a few of these. */
const HEAP_MEGABYTES = 64;
/** More than that, over what the first round had left, isn't the runtime's garbage. */
const GROWTH_MEGABYTES = 64;
/** An endpoint that nobody follows is detached after 30 s (L5). */
const STILL_MS = 60_000;

const heap = boundedHeap(HEAP_MEGABYTES);
let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: 3 } }, edgeEnv: heap.env });
  produce("before");
});
afterAll(async () => {
  await deployment?.stop();
  heap.remove();
});

function produce(value: string): void {
  deployment.produce(
    "t",
    PATHS.map((_, i) => ({ key: utf8(`key-${i}`), value: utf8(JSON.stringify(value)) })),
  );
}

/** A client that subscribes and goes: having heard all, or something, or nothing. */
async function comeAndGo(number: number): Promise<void> {
  const client = new RawConnection(`${deployment.url.replace("http", "ws")}/$/connect?client=one-${number}`);
  const first = (number * 7) % (PATHS.length - EACH);
  await client.open();
  const ids = client.subscribe(PATHS.slice(first, first + EACH));
  if (number % 3 === 0) await client.answered(ids);
  else if (number % 3 === 1) await client.answered(ids.slice(0, 1));
  client.socket.terminate();
  expect(client.violations).toEqual([]);
}

/** Each begins when its time has come, unless too many others are still there. */
async function crowd(count: number, firstNumber: number): Promise<void> {
  const began = performance.now();
  const there = new Set<Promise<unknown>>();
  for (let i = 0; i < count; i++) {
    await pause(Math.max(0, began + (i * 1_000) / PER_SECOND - performance.now()));
    if (there.size >= AT_ONCE) await Promise.race(there);
    const one: Promise<unknown> = comeAndGo(firstNumber + i).finally(() => there.delete(one));
    there.add(one);
  }
  await Promise.all(there);
}

async function watchedAndLinks(): Promise<number> {
  const health = await fetch(`${deployment.url}/$/health`);
  const { shards } = (await health.json()) as {
    shards: { readonly connected: boolean; readonly watched: number; readonly links: number }[];
  };
  if (!shards.every(({ connected }) => connected)) throw new Error("a shard doesn't say");
  return shards.reduce((sum, { watched, links }) => sum + watched + links, 0);
}

/** Of workerd, which is a child of the edge's process. */
function held(): Held {
  const edge = deployment.edge?.process.pid ?? 0;
  const all = descendants(edge).map(heldBy);
  const [most] = all.sort((one, other) => other.residentMegabytes - one.residentMegabytes);
  if (most === undefined) throw new Error("the edge has no workerd");
  return most;
}

async function emptied(): Promise<Held> {
  expect(await dwindled(watchedAndLinks, 0, STILL_MS)).toBe(0);
  await eventually(
    () => held().connections.length <= before.connections.length,
    () => `the connections of before: ${counted(held().connections)}`,
    STILL_MS,
  );
  return held();
}

let before: Held;

test(`[M11] [L5] [L13] of ${ROUNDS} times ${CONNECTIONS} connections of ${EACH} endpoints that vanish, ${PER_SECOND} a second, nothing is left`, async () => {
  before = held();
  const rounds: Held[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await crowd(CONNECTIONS, round * CONNECTIONS);
    rounds.push(await emptied());
  }
  const megabytes = rounds.map(({ residentMegabytes }) => residentMegabytes).join(", ");
  console.info(`workerd had ${before.residentMegabytes} MB, then ${megabytes}`);
  const [warm = before, after = before] = [rounds[0], rounds.at(-1)];

  expect(after.connections.length).toBeLessThanOrEqual(before.connections.length);
  expect(after.reset - warm.reset).toBe(0);
  expect(after.descriptors).toBeLessThanOrEqual(warm.descriptors + 2);
  expect(after.residentMegabytes).toBeLessThan(warm.residentMegabytes + GROWTH_MEGABYTES);
  // Whoever comes now is served as the first was.
  const client = await new RawConnection(`${deployment.url.replace("http", "ws")}/$/connect`).open();
  await client.answered(client.subscribe(PATHS));
  produce("after");
  await client.until(
    (one) => PATHS.every((path) => one.of(path).values.at(-1) === "after"),
    "the last of each",
  );
  expect(client.violations).toEqual([]);
  client.close();
  figure(
    `${ROUNDS} times ${CONNECTIONS} connections that vanished, ${PER_SECOND} a second: workerd has ${megabytes} MB after each, and ${after.descriptors} descriptors, ${warm.descriptors} after the first`,
  );
}, 900_000);
