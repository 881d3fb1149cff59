/** What `npm run estimate` predicts for a small load, held against what the product counts while it carries it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { shardOf } from "../../shared/protocol/address.ts";
import { type Assumptions, HARSHEST, KINDEST } from "../bench/estimate-assumptions.ts";
import { eventsOf, MONTH_SECONDS, operationsOf, type Plan } from "../bench/estimate-events.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { RawEvents } from "../support/raw-events.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import { RUNTIME } from "../support/runtimes.ts";

/** So long would the load take at the plan's rates; a test need not wait for that. */
const SECONDS = 60;
const ROUNDS = 20;
const GETS = 18;
const WATCHED = 6;
const PUBLISHES = 12;
const OCCUPANCY = 9;

const plan: Plan = {
  endpoints: 4 * WATCHED,
  watched: 0.25,
  rate: ROUNDS / SECONDS,
  subscribers: 4,
  each: 1,
  popularity: "even",
  regions: 1,
  shape: "direct",
  carriers: "messages",
  gatherMs: 0,
  // Of the four of each endpoint one is an event stream, and one GETs the next state again and again.
  streams: 0.25,
  polls: 0.25,
  // Each once.
  reconnects: 86_400 / SECONDS,
  // All that is there has come within this time.
  restarts: MONTH_SECONDS / SECONDS,
  // Whoever waits for the next state has asked for the latest before.
  gets: (GETS + WATCHED) / SECONDS,
  cached: 0,
  occupancy: OCCUPANCY / SECONDS,
  publishes: PUBLISHES / SECONDS,
  messageBytes: 100,
  pingSeconds: SECONDS,
  shards: 2,
  batchMs: 0,
  revocations: 0,
};

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { t: { partitions: 3, stream: { publish: "public" } } },
    originEnv: { PUBLISH_SECRET: "a secret of the tests of 32 bytes or more" },
    // Keys have no record when somebody comes, and what is counted is of their objects.
    edgeEnv: { ROOMS: "0" },
  });
  // The origin says once that it writes the partition.
  await publish();
});

afterAll(() => {
  for (const stream of open) stream.cut();
  return deployment?.stop();
});

/** Until all has been counted: that one was cut is noticed sooner or later. */
const open: RawEvents[] = [];

/** To a key that nobody watches. */
async function publish(): Promise<void> {
  const answer = await fetch(deployment.url + pathOf("t", key(WATCHED)), { method: "POST", body: "1" });
  expect(answer.status).toBe(201);
}

const key = (i: number) => `key-${i}`;

type Follower = RawSubscriber | RawEvents;

/** GETs the next state, and waits for it. */
class Poller {
  readonly #url: string;
  #tag = "";
  #answer: Promise<Response> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async begin(): Promise<void> {
    const answer = await fetch(this.#url);
    expect(answer.status).toBe(404);
    this.#tag = '"-"';
  }

  wait(): void {
    this.#answer = fetch(this.#url, { headers: { "If-None-Match": this.#tag, Prefer: "wait=25" } });
  }

  async hear(round: number): Promise<void> {
    const answer = await this.#answer;
    expect(await answer?.json()).toEqual({ round });
    this.#tag = answer?.headers.get("ETag") ?? "";
  }
}

/** Asking for the counts is a request, too. */
let asked = 0;

async function counts(): Promise<Record<string, number>> {
  asked++;
  return deployment.operations();
}

const verdicts = (counted: Readonly<Record<string, number>>) =>
  (counted["verdict.fresh"] ?? 0) + (counted["verdict.window"] ?? 0);

/** A round of updates, of those of watched endpoints none before the last one has arrived. */
async function update(
  followers: readonly Follower[],
  pollers: readonly Poller[],
  round: number,
): Promise<void> {
  for (const poller of pollers) {
    // What came before it follows its endpoint would be answered at once.
    const before = verdicts(await counts());
    poller.wait();
    await eventually(async () => verdicts(await counts()) === before + 1, "a verdict");
  }
  const write = (i: number) =>
    deployment.produce("t", [{ key: utf8(key(i)), value: utf8(`{"round":${round}}`) }]);
  for (let i = 0; i < WATCHED; i++) {
    write(i);
    const theirs = followers.filter((_, j) => j % WATCHED === i);
    await Promise.all(
      theirs.map((one: Follower) =>
        one instanceof RawEvents
          ? one.until(({ updates }) => updates.length === round, "an event")
          : one.until(({ updates }) => updates.length === round, "an update"),
      ),
    );
  }
  for (const poller of pollers) await poller.hear(round);
  for (let i = WATCHED; i < plan.endpoints; i++) write(i);
}

const hasVerdict = (stream: RawEvents) => stream.of("verdict").length === 1;

async function carryTheLoad(): Promise<void> {
  const paths = Array.from({ length: WATCHED }, (_, i) => pathOf("t", key(i)));
  const subscribers = [...paths, ...paths].map((path) => deployment.subscribe(path));
  await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
  const streams = paths.map((path) => new RawEvents(deployment.url + path));
  await Promise.all(streams.map((stream) => stream.until(hasVerdict, "a verdict")));
  const pollers = paths.map((path) => new Poller(deployment.url + path));
  for (const poller of pollers) await poller.begin();
  for (let round = 1; round <= ROUNDS; round++) await update([...subscribers, ...streams], pollers, round);
  for (const [i, subscriber] of subscribers.entries()) {
    const { position } = subscriber;
    await subscriber.close();
    const again = deployment.subscribe(paths[i % WATCHED] ?? "", position);
    expect(await again.verdict()).toMatchObject({ recovered: true, position });
    subscribers[i] = again;
  }
  for (const [i, stream] of streams.entries()) {
    stream.cut();
    const from = { "Last-Event-ID": stream.lastId };
    const again = new RawEvents(deployment.url + (paths[i] ?? ""), from);
    await again.until(hasVerdict, "a verdict");
    expect(again.of("verdict")).toMatchObject([{ recovered: true }]);
    expect([...stream.violations, ...again.violations]).toEqual([]);
    streams[i] = again;
  }
  for (const subscriber of subscribers) subscriber.send('{"ping":1}');
  await Promise.all(subscribers.map((one) => one.until((s) => s.others.length === 1, "a pong")));
  for (let i = 0; i < GETS; i++)
    expect((await fetch(deployment.url + pathOf("t", key(WATCHED)))).status).toBe(200);
  for (let i = 0; i < OCCUPANCY; i++) {
    const answer = await fetch(`${deployment.url}${paths[i % WATCHED]}?occupancy`);
    // A stream that was cut counts until that is noticed.
    expect(((await answer.json()) as { subscribers: number }).subscribers).toBeGreaterThanOrEqual(3);
  }
  for (let i = 0; i < PUBLISHES; i++) await publish();
  for (const { violations } of subscribers) expect(violations).toEqual([]);
  open.push(...streams);
}

/** Held against what was counted between two looks, `looks` of which were requests. */
function strays(
  [before, after]: readonly Readonly<Record<string, number>>[],
  looks: number,
  predict: (assumptions: Assumptions) => Readonly<Record<string, number>>,
): { readonly off: readonly unknown[]; readonly unknown: readonly string[] } {
  const [kindest, harshest] = [predict(KINDEST), predict(HARSHEST)];
  const counted = (name: string) =>
    (after?.[name] ?? 0) - (before?.[name] ?? 0) - (name === "worker_request" ? looks : 0);
  const off = Object.keys(kindest).filter((name) => {
    const bounds = [kindest[name] ?? 0, harshest[name] ?? 0];
    return counted(name) < Math.min(...bounds) * 0.99 || counted(name) > Math.max(...bounds) * 1.01;
  });
  return {
    off: off.map((name) => [name, counted(name), kindest[name], harshest[name]]),
    // How often objects began to run is no operation: one of another test may wake late.
    unknown: Object.keys(after ?? {}).filter(
      (name) => counted(name) > 0 && !(name in kindest) && !name.startsWith("object_created."),
    ),
  };
}

test("every operation is counted as often as the estimate predicts: within its two bounds, or a hundredth around them", async () => {
  const before = await counts();
  asked = 0;
  expect(before["object_request.shard"]).toBe(eventsOf(plan, KINDEST, SECONDS).uplinks);
  await carryTheLoad();
  const after = await counts();

  // The uplinks were there before, and without rooms no object asks whether its key has a record.
  const { off, unknown } = strays([before, after], asked, (assumptions) =>
    operationsOf({ ...eventsOf(plan, assumptions, SECONDS), uplinks: 0, recordAsks: 0 }),
  );
  expect(off).toEqual([]);
  // Nothing is counted that the estimate knows nothing of, but what the platform does not bill.
  expect([...unknown].sort()).toEqual(["verdict.fresh", "verdict.window"]);
}, 180_000);

test("and so it is of a relay, which holds connections of many endpoints", async () => {
  const CONNECTIONS = 8;
  const [SHARDS, EACH] = [plan.shards, 4];
  // As many of each shard.
  const names = Array.from({ length: 200 }, (_, i) => `many-${i}`);
  const paths = Array.from({ length: SHARDS }, (_, shard) =>
    names.filter((name) => shardOf(pathOf("t", name), SHARDS) === shard).slice(0, EACH / SHARDS),
  ).flat();
  const relays: Plan = {
    ...plan,
    endpoints: EACH,
    watched: 1,
    subscribers: CONNECTIONS,
    each: EACH,
    shape: "relays",
    gatherMs: 25,
    streams: 0,
    polls: 0,
    gets: 0,
    occupancy: 0,
    publishes: 0,
  };
  const url = `${deployment.url.replace("http", "ws")}/$/connect?client=the-same`;
  const follow = async (from?: ReadonlyMap<string, string>) => {
    const one = await new RawConnection(url).open();
    return one.answered(
      one.subscribe(
        paths.map((name) => pathOf("t", name)),
        from,
      ),
    );
  };
  const before = await counts();
  asked = 0;

  const clients = [];
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await follow());
  for (let round = 1; round <= ROUNDS; round++)
    for (const name of paths) {
      deployment.produce("t", [{ key: utf8(name), value: utf8(`{"round":${round}}`) }]);
      const has = (one: RawConnection) => one.of(pathOf("t", name)).values.length === round;
      await Promise.all(clients.map((client) => client.until(has, "an update")));
    }
  for (const [i, client] of clients.entries()) {
    client.close();
    await client.until(({ closed }) => closed !== undefined, "a close");
    clients[i] = await follow(client.positions());
  }
  const after = await counts();

  const { off, unknown } = strays([before, after], asked, (assumptions) =>
    operationsOf({ ...eventsOf(relays, assumptions, SECONDS), uplinks: 0 }, "relay"),
  );
  expect(off).toEqual([]);
  // On Node rows are counted as SQLite does, and these few are none that it reads.
  const rows = RUNTIME === "node" ? [] : ["rows_read"];
  expect([...unknown].sort()).toEqual([...rows, "verdict.fresh", "verdict.window"]);
  for (const client of clients) {
    expect(client.violations).toEqual([]);
    client.close();
  }
}, 180_000);

test("[L15] however many updates there are, a relay is sent no more messages than gathering allows", async () => {
  const UPDATES = 300;
  const paths = Array.from({ length: 20 }, (_, i) => pathOf("t", key(i)));
  const client = await new RawConnection(`${deployment.url.replace("http", "ws")}/$/connect`).open();
  await client.answered(client.subscribe(paths));
  const had = paths.map((path) => client.of(path).values.length);
  const before = await deployment.operations();
  const began = performance.now();

  for (let i = 0; i < UPDATES; i++) {
    deployment.produce("t", [{ key: utf8(key(i % paths.length)), value: utf8(`{"burst":${i}}`) }]);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const each = UPDATES / paths.length;
  await client.until(
    (one) => paths.every((path, i) => one.of(path).values.length === (had[i] ?? 0) + each),
    "all updates",
  );
  const ms = performance.now() - began;
  const after = await deployment.operations();

  const name = "websocket_message_in.relay_link";
  const messages = (after[name] ?? 0) - (before[name] ?? 0);
  // For each shard one at the beginning and one for each 25 ms, and its word that the relay asked for.
  expect(messages).toBeLessThanOrEqual(plan.shards * (ms / 25 + 2) + ms / 5_000 + 1);
  expect(messages).toBeGreaterThan(0);
  expect(client.violations).toEqual([]);
  client.close();
}, 180_000);
