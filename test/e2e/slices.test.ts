/** Four origins that share the partitions, without standbys: what is lost with one of them is its own, for as long as it is away. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { LiveTraffic } from "../support/live-traffic.ts";

const SLICES = 4;
const KEYS_EACH = 3;

interface Health {
  readonly healthy: boolean;
  readonly shards: readonly {
    readonly slices: readonly { readonly slice: string; readonly origin: string | null }[];
  }[];
}

let deployment: Deployment;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { t: { partitions: SLICES } }, slices: SLICES });
});

afterAll(() => deployment?.stop());

/** Keys that are at home in a slice. */
function keysOf(slice: number, run: string): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < KEYS_EACH; i++) {
    const key = `${run}-${i}`;
    if (partitionOf(utf8(key), SLICES) === slice - 1) keys.push(key);
  }
  return keys;
}

const health = async () => (await (await fetch(`${deployment.url}/$/health`)).json()) as Health;
const get = async (key: string) => (await fetch(`${deployment.url}${pathOf("t", key)}`)).status;

test("[N2] each shard has an origin for each slice", async () => {
  const { healthy, shards } = await health();

  expect(healthy).toBe(true);
  for (const { slices } of shards)
    expect(slices.map(({ slice, origin }) => `${slice} ${origin}`)).toEqual([
      ...["1/4 first", "2/4 slice-2", "3/4 slice-3", "4/4 slice-4"],
    ]);
});

test.each([1, 2, 3, 4])(
  "[N5] [N6] [N8] [L7] slice %i's origin is killed: other keys go on as before, and its own when it is back",
  async (dead) => {
    const run = `killed-${dead}`;
    const others = [1, 2, 3, 4].filter((slice) => slice !== dead);
    const theirs = await LiveTraffic.begin(
      deployment,
      "t",
      others.flatMap((slice) => keysOf(slice, run)),
    );
    const own = await LiveTraffic.begin(deployment, "t", keysOf(dead, run));
    await Promise.all([theirs.flows(), own.flows()]);
    theirs.takeStall();

    await deployment.slices[dead - 1]?.stop("SIGKILL");
    await eventually(
      async () => (await health()).shards.every(({ slices }) => slices[dead - 1]?.origin === null),
      "each shard has noticed",
    );
    await theirs.flows();
    const stall = theirs.takeStall();
    const [there = ""] = keysOf(others[0] ?? 0, run);
    const [here = ""] = keysOf(dead, run);
    expect([await get(there), await get(here)]).toEqual([200, 503]);
    const fresh = deployment.subscribe(pathOf("t", keysOf(others[0] ?? 0, `${run}-fresh`)[0] ?? ""));
    await fresh.verdict();
    const waiting = deployment.subscribe(pathOf("t", keysOf(dead, `${run}-fresh`)[0] ?? ""));
    await waiting.until(({ others }) => others.some(({ wait }) => wait !== undefined), "it is told to wait");

    deployment.startSlice(dead, SLICES);
    await Promise.all([own.flows(), waiting.verdict()]);
    await deployment.ready();
    expect(await get(here)).toBe(200);
    for (const subscriber of [fresh, waiting]) await subscriber.close();
    const records = (await theirs.end()) + (await own.end());
    expect(records).toBeGreaterThan(20);
    console.info(`slice ${dead}: meanwhile the slowest record of the others took ${stall} ms`);
  },
  60_000,
);
