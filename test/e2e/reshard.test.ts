/** Origins that divide the partitions anew, under load: one for all is relieved by three that share them, and comes back. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { type Child, Deployment, FIRST_ORIGIN } from "../support/deployment.ts";
import { LiveTraffic } from "../support/live-traffic.ts";

const PARTITIONS = 6;
const KEYS = 12;
const THIRDS = ["1/3", "2/3", "3/3"];

interface Shard {
  readonly slices: readonly { readonly slice: string }[];
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

let deployment: Deployment;
let traffic: LiveTraffic;
let runs = 0;
const running = new Map<string, Child>();

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: PARTITIONS } } });
  if (deployment.origin !== undefined) running.set(FIRST_ORIGIN, deployment.origin);
});

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

/** Starts origins of these slices; resolves when all of them stand by at each shard. */
async function standBy(slices: readonly string[]): Promise<void> {
  const names = slices.map(nameOf);
  for (const slice of slices)
    running.set(nameOf(slice), deployment.startOrigin(nameOf(slice), { ORIGIN_SLICE: slice }));
  const stands = ({ standbys }: Shard) =>
    names.every((name) => standbys.some(({ origin, ready }) => ready && origin === name));
  await eventually(async () => (await shards()).every(stands), `${names} stand by`);
}

const nameOf = (slice: string) => (slice === "1/1" ? FIRST_ORIGIN : `of-${slice.replace("/", "-")}`);

async function serves(slices: readonly string[]): Promise<void> {
  await eventually(
    async () =>
      (await shards()).every((shard) => `${shard.slices.map(({ slice }) => slice)}` === `${slices}`),
    `${slices} are served`,
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
  await Promise.all(THIRDS.map((slice) => running.get(nameOf(slice))?.stop("SIGKILL")));
}, 60_000);

test("[N9] and they relieve it when it hangs", async () => {
  await standBy(THIRDS);
  running.get(FIRST_ORIGIN)?.process.kill("SIGSTOP");
  await serves(THIRDS);
  await arrives();
}, 60_000);
