/** Everybody is cut at once: who comes back has missed nothing, and the origin is asked no more than it must be. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";

const ENDPOINTS = 50;
/** Of each endpoint. */
const SUBSCRIBERS = 8;

let deployment: Deployment;
let keys: string[];
let runs = 0;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: 3 } } });
});
afterAll(() => deployment?.stop());

/** Keys of its own for each test, that nobody has watched. */
beforeEach(() => {
  const run = ++runs;
  keys = Array.from({ length: ENDPOINTS }, (_, i) => `key-${run}-${i}`);
});

interface Watching {
  readonly key: string;
  readonly subscriber: RawSubscriber;
}

const produce = (value: string) =>
  deployment.produce(
    "t",
    keys.map((key) => ({ key: utf8(key), value: utf8(value) })),
  );

const received = (all: readonly Watching[], updates: number) =>
  Promise.all(all.map(({ subscriber }) => subscriber.until((s) => s.updates.length === updates, "updates")));

/** Several of each endpoint, who have received one update. */
async function watch(): Promise<Watching[]> {
  const all = keys.flatMap((key) =>
    Array.from({ length: SUBSCRIBERS }, () => ({
      key,
      subscriber: deployment.subscribe(pathOf("t", key)),
    })),
  );
  await Promise.all(all.map(({ subscriber }) => subscriber.verdict()));
  produce("before");
  await received(all, 1);
  return all;
}

/** The same ones by their positions, all at the same moment. */
const comeBack = (all: readonly Watching[]) =>
  all.map(({ key, subscriber }) => ({
    key,
    subscriber: deployment.subscribe(pathOf("t", key), subscriber.position),
  }));

async function expectNothingMissed(back: readonly Watching[]): Promise<void> {
  await received(back, 2);
  for (const { subscriber } of back) {
    expect(await subscriber.verdict()).toMatchObject({ recovered: true });
    expect(subscriber.updates.map(({ value }) => value?.toString())).toEqual(["meanwhile", "more"]);
    expect(subscriber.violations).toEqual([]);
  }
}

/** Messages from objects to their shards: all that the origin can be asked comes with these. */
const upward = async () => (await deployment.operations())["websocket_message_in.shard_link"] ?? 0;

test("[S3] [R1] [L5] cut from the edge, they are caught up from the windows: nobody asks the origin", async () => {
  const all = await watch();
  const before = await upward();

  for (const { subscriber } of all) subscriber.socket.terminate();
  // Each object tells its shard that it is empty.
  await eventually(async () => (await upward()) === before + ENDPOINTS, "all objects are empty");
  produce("meanwhile");
  produce("more");
  const back = comeBack(all);
  await expectNothingMissed(back);

  // And that it is occupied.
  expect(await upward()).toBe(before + 2 * ENDPOINTS);
  await Promise.all(back.map(({ subscriber }) => subscriber.close()));
}, 60_000);

test("[R1] [R2] [L1] cut by an edge that is killed and starts again, they have missed nothing, and the origin is asked for each endpoint, not for each of them", async () => {
  const all = await watch();

  await deployment.edge?.stop("SIGKILL");
  await Promise.all(
    all.map(({ subscriber }) => subscriber.until((s) => s.closed !== undefined, "the close")),
  );
  produce("meanwhile");
  produce("more");
  deployment.edge = deployment.startEdge();
  await deployment.ready();
  const back = comeBack(all);
  await expectNothingMissed(back);

  // Of an object that knows nothing: empty and occupied, its own question, and the one of those who wait. What was
  // watched by tests before is dialled again, too, and says that it is empty.
  expect(await upward()).toBeLessThanOrEqual((4 + runs - 1) * ENDPOINTS);
  await Promise.all(back.map(({ subscriber }) => subscriber.close()));
}, 60_000);
