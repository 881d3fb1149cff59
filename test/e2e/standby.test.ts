/** Two origins, one of which stands by: whatever becomes of the active one, subscribers get everything, once. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment, FIRST_ORIGIN } from "../support/deployment.ts";
import { LiveTraffic } from "../support/live-traffic.ts";

const KEYS = 12;
const SECOND_ORIGIN = "second";

interface Shard {
  readonly origin: string | null;
  readonly generation: number;
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

let deployment: Deployment;
const origins = new Map<string, Child>();
let traffic: LiveTraffic;
let runs = 0;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: 3 } } });
  if (deployment.origin !== undefined) origins.set(FIRST_ORIGIN, deployment.origin);
  start(SECOND_ORIGIN);
});

afterAll(async () => {
  await Promise.all([...origins.values()].map((origin) => origin.stop("SIGKILL")));
  await deployment?.stop();
});

beforeEach(async () => {
  await eventually(async () => (await standby()) !== undefined, "each shard has the same two origins");
  const run = ++runs;
  const keys = Array.from({ length: KEYS }, (_, i) => `key-${run}-${i}`);
  traffic = await LiveTraffic.begin(deployment, "t", keys);
  await traffic.flows();
  traffic.takeStall();
});

afterEach(async ({ task }) => {
  await traffic.flows();
  const stall = traffic.takeStall();
  const records = await traffic.end();
  expect(records).toBeGreaterThan(20);
  console.info(`${task.name}: the slowest of ${records} records took ${stall} ms`);
});

function start(name: string): void {
  origins.set(name, deployment.startOrigin(name));
}

const shards = async (): Promise<readonly Shard[]> =>
  ((await (await fetch(`${deployment.url}/$/health`)).json()) as { shards: Shard[] }).shards;

/** The origin that is ready and stands by at every shard; undefined if there is none. */
async function standby(): Promise<string | undefined> {
  const names = (await shards()).map((shard) => shard.standbys.find(({ ready }) => ready)?.origin);
  return names.every((name) => name === names[0]) ? names[0] : undefined;
}

/** Names of who is active everywhere and who stands by there, with the process of the active one. */
async function roles(): Promise<{ active: string; process: Child; next: string }> {
  const next = (await standby()) ?? "";
  const active = next === FIRST_ORIGIN ? SECOND_ORIGIN : FIRST_ORIGIN;
  const process = origins.get(active);
  if (process === undefined) throw new Error(`there is no ${active}`);
  return { active, process, next };
}

async function tookOver(name: string): Promise<void> {
  await eventually(
    async () => (await shards()).every(({ origin }) => origin === name),
    `${name} is active at every shard`,
  );
}

test("[U13] [U14] [L7] the active origin is killed", async () => {
  const { active, process, next } = await roles();

  await process.stop("SIGKILL");
  await tookOver(next);
  await traffic.flows();

  start(active);
});

test("[U15] the active origin is told to stop: it hands over", async () => {
  const { active, process, next } = await roles();

  await process.stop("SIGTERM");
  await tookOver(next);
  expect(process.process.exitCode).toBe(0);
  await traffic.flows();

  start(active);
});

test("[U13] [U14] the active origin is stopped past its deadline, and goes on when another has taken over", async () => {
  const { active, process, next } = await roles();
  const before = await shards();

  process.process.kill("SIGSTOP");
  await tookOver(next);
  await traffic.flows();
  process.process.kill("SIGCONT");

  await eventually(async () => (await standby()) === active, "the woken one stands by");
  for (const [i, { origin, generation }] of (await shards()).entries()) {
    expect(origin).toBe(next);
    expect(generation).toBeGreaterThan(before[i]?.generation ?? 0);
  }
}, 120_000);

test("[R5] the active origin is killed while the one that stands by is behind with reading", async () => {
  const { active, process, next } = await roles();
  const late = origins.get(next)?.process;

  late?.kill("SIGSTOP");
  await traffic.flows();
  await process.stop("SIGKILL");
  late?.kill("SIGCONT");
  await tookOver(next);
  await traffic.flows();

  start(active);
});

test("[U13] both are killed, and come back", async () => {
  await Promise.all([...origins.values()].map((origin) => origin.stop("SIGKILL")));
  for (const name of origins.keys()) start(name);

  await traffic.flows();
});
