/** What `npm run estimate` predicts for a small load, held against what the product counts while it carries it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Assumptions, HARSHEST, KINDEST } from "../bench/estimate-assumptions.ts";
import { eventsOf, MONTH_SECONDS, operationsOf, type Plan } from "../bench/estimate-events.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";

/** So long would the load take at the plan's rates; a test need not wait for that. */
const SECONDS = 60;
const ROUNDS = 20;
const GETS = 18;
const PUBLISHES = 12;

const plan: Plan = {
  endpoints: 24,
  watched: 0.25,
  rate: ROUNDS / SECONDS,
  subscribers: 4,
  each: 1,
  popularity: "even",
  regions: 1,
  shape: "direct",
  carriers: "messages",
  gatherMs: 0,
  streams: 0,
  polls: 0,
  // Each once.
  reconnects: 86_400 / SECONDS,
  // All that is there has come within this time.
  restarts: MONTH_SECONDS / SECONDS,
  gets: GETS / SECONDS,
  cached: 0,
  publishes: PUBLISHES / SECONDS,
  messageBytes: 100,
  pingSeconds: SECONDS,
  shards: 2,
  batchMs: 0,
  revocations: 0,
};
const watched = plan.endpoints * plan.watched;

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { t: { partitions: 3, stream: { publish: "public" } } },
    originEnv: { PUBLISH_SECRET: "a secret of the tests of 32 bytes or more" },
  });
  // The origin says once that it writes the partition.
  await publish();
});

afterAll(() => deployment?.stop());

/** To a key that nobody watches. */
async function publish(): Promise<void> {
  const answer = await fetch(deployment.url + pathOf("t", key(watched)), { method: "POST", body: "1" });
  expect(answer.status).toBe(201);
}

const key = (i: number) => `key-${i}`;

/** A round of updates, of those of watched endpoints none before the last one has arrived. */
async function update(subscribers: readonly RawSubscriber[], round: number): Promise<void> {
  const write = (i: number) =>
    deployment.produce("t", [{ key: utf8(key(i)), value: utf8(`{"round":${round}}`) }]);
  for (let i = 0; i < watched; i++) {
    write(i);
    const theirs = subscribers.filter((_, j) => j % watched === i);
    await Promise.all(theirs.map((one) => one.until((s) => s.updates.length === round, "an update")));
  }
  for (let i = watched; i < plan.endpoints; i++) write(i);
}

async function carryTheLoad(): Promise<void> {
  const paths = Array.from({ length: watched * plan.subscribers }, (_, i) => pathOf("t", key(i % watched)));
  const subscribers = paths.map((path) => deployment.subscribe(path));
  await Promise.all(subscribers.map((subscriber) => subscriber.verdict()));
  for (let round = 1; round <= ROUNDS; round++) await update(subscribers, round);
  for (const [i, path] of paths.entries()) {
    const position = subscribers[i]?.position;
    await subscribers[i]?.close();
    const again = deployment.subscribe(path, position);
    expect(await again.verdict()).toMatchObject({ recovered: true, position });
    subscribers[i] = again;
  }
  for (const subscriber of subscribers) subscriber.send('{"ping":1}');
  await Promise.all(subscribers.map((one) => one.until((s) => s.others.length === 1, "a pong")));
  for (let i = 0; i < GETS; i++)
    expect((await fetch(deployment.url + pathOf("t", key(watched)))).status).toBe(200);
  for (let i = 0; i < PUBLISHES; i++) await publish();
  for (const { violations } of subscribers) expect(violations).toEqual([]);
}

test("every operation is counted as often as the estimate predicts: within its two bounds, or a hundredth around them", async () => {
  const before = await deployment.operations();
  expect(before["object_request.shard"]).toBe(eventsOf(plan, KINDEST, SECONDS).uplinks);
  await carryTheLoad();
  const after = await deployment.operations();

  // The uplinks were there before.
  const predict = (assumptions: Assumptions) =>
    operationsOf({ ...eventsOf(plan, assumptions, SECONDS), uplinks: 0 });
  const kindest: Readonly<Record<string, number>> = predict(KINDEST);
  const harshest: Readonly<Record<string, number>> = predict(HARSHEST);
  // Asking for the counts is a request, too.
  const counted = (name: string) =>
    (after[name] ?? 0) - (before[name] ?? 0) - (name === "worker_request" ? 1 : 0);

  const strays = Object.keys(kindest).filter((name) => {
    const bounds = [kindest[name] ?? 0, harshest[name] ?? 0];
    return counted(name) < Math.min(...bounds) * 0.99 || counted(name) > Math.max(...bounds) * 1.01;
  });
  expect(strays.map((name) => [name, counted(name), kindest[name], harshest[name]])).toEqual([]);
  // Nothing is counted that the estimate knows nothing of, but what the platform does not bill.
  const unknown = Object.keys(after).filter((name) => counted(name) > 0 && !(name in kindest));
  expect(unknown.sort()).toEqual(["object_created.endpoint", "verdict.fresh", "verdict.window"]);
}, 60_000);
