/** Origins that divide the partitions anew, under load: one for all is relieved by three that share them, and comes back. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment, FIRST_ORIGIN } from "../support/deployment.ts";
import { LiveTraffic } from "../support/live-traffic.ts";

const PARTITIONS = 6;
const KEYS = 12;
const THIRDS = ["1/3", "2/3", "3/3"];

interface Shard {
  readonly ranges: readonly { readonly range: string }[];
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

let deployment: Deployment;
let traffic: LiveTraffic;
let runs = 0;
const running = new Map<string, Child>();

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: PARTITIONS } } });
  if (deployment.origin !== undefined) running.set(FIRST_ORIGIN, deployment.origin);
}, 60_000);

afterAll(async () => {
  await Promise.all([...running.values()].map((origin) => origin.stop("SIGKILL")));
  await deployment?.stop();
});

beforeEach(async () => {
  const run = ++runs;
  const keys = Array.from({ length: KEYS }, (_, i) => `key-${run}-${i}`);
  traffic = await LiveTraffic.begin(deployment, "t", keys);
  await traffic.flows();
  traffic.takeStall();
});

const shards = async () =>
  ((await (await fetch(`${deployment.url}/$/health`)).json()) as { shards: readonly Shard[] }).shards;

/** Starts origins of these ranges; resolves when all of them stand by at each shard. */
async function standBy(ranges: readonly string[]): Promise<void> {
  const names = ranges.map(nameOf);
  for (const range of ranges)
    running.set(nameOf(range), deployment.startOrigin(nameOf(range), { ORIGIN_RANGE: range }));
  const stands = ({ standbys }: Shard) =>
    names.every((name) => standbys.some(({ origin, ready }) => ready && origin === name));
  await eventually(async () => (await shards()).every(stands), `${names} stand by`);
}

const nameOf = (range: string) => (range === "1/1" ? FIRST_ORIGIN : `of-${range.replace("/", "-")}`);

async function serves(ranges: readonly string[]): Promise<void> {
  await eventually(
    async () =>
      (await shards()).every((shard) => `${shard.ranges.map(({ range }) => range)}` === `${ranges}`),
    `${ranges} are served`,
  );
}

/** What was written, also in between, arrived once, in order and without a word of loss. */
async function arrives(): Promise<void> {
  await traffic.flows();
  const stall = traffic.takeStall();
  const records = await traffic.end();
  expect(records).toBeGreaterThan(20);
  console.info(`the slowest of ${records} records took ${stall} ms`);
}

test("[N9] [U15] three that share the partitions relieve one that stops", async () => {
  await standBy(THIRDS);
  await running.get(FIRST_ORIGIN)?.stop();
  await serves(THIRDS);
  await arrives();
}, 60_000);

test("[N9] one for all relieves three of whom one hangs", async () => {
  await standBy(["1/1"]);
  const hung = running.get(nameOf("2/3"));
  hung?.process.kill("SIGSTOP");
  await serves(["1/1"]);
  await arrives();
  await Promise.all(THIRDS.map((range) => running.get(nameOf(range))?.stop("SIGKILL")));
}, 60_000);

test("[N9] and they relieve it when it hangs", async () => {
  await standBy(THIRDS);
  running.get(FIRST_ORIGIN)?.process.kill("SIGSTOP");
  await serves(THIRDS);
  await arrives();
}, 60_000);
