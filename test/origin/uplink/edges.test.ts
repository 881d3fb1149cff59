/** One origin that dials several edges, as these see it. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OccupancyExchange } from "../../../origin/occupancy/exchange.ts";
import { RevocationSpreading } from "../../../origin/revocations/spreading.ts";
import { type Edge, edgeName } from "../../../origin/settings/edges.ts";
import { Edges, type EdgesOptions } from "../../../origin/uplink/edges.ts";
import { encodeAttach } from "../../../shared/protocol/attach.ts";
import { CLOSE } from "../../../shared/protocol/codes.ts";
import {
  encodeAlone,
  encodeCount,
  encodeCounted,
  encodeElsewhere,
} from "../../../shared/protocol/counting.ts";
import type { Revocation } from "../../../shared/protocol/revocation.ts";
import { encodeLearnt, encodeSpread } from "../../../shared/protocol/uplink.ts";
import { freePort } from "../../support/ports.ts";
import { KEY, ScriptedShards, type TakenUplink, UPLINK_TIMING } from "../../support/scripted-shards.ts";
import { record, SmallOrigin } from "../../support/small-origin.ts";

let one: ScriptedShards;
let other: ScriptedShards;
let origin: SmallOrigin;
let edges: Edges;

beforeEach(async () => {
  [one, other] = [await ScriptedShards.start(), await ScriptedShards.start()];
  origin = new SmallOrigin();
  origin.describe({ epoch: "e.0" });
  origin.read(0, "e.0");
});

afterEach(async () => {
  await edges.stop();
  await Promise.all([one.stop(), other.stop()]);
});

const at = ({ url }: Pick<ScriptedShards, "url">, key = KEY): Edge => ({ url, key });

function start(list: readonly Edge[], options: Partial<EdgesOptions> = {}): void {
  edges = new Edges(list, {
    watchList: origin.watchList,
    log: origin.recorded.log,
    random: () => 1,
    failed: (error) => {
      throw error;
    },
    timing: { ...UPLINK_TIMING, deadMs: 60_000, leaveMs: 1_000 },
    ...options,
  });
  edges.start();
}

/** Watches an endpoint over an uplink. */
async function attach(uplink: TakenUplink): Promise<void> {
  uplink.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 7));
  await uplink.until(({ said }) => said.some((frame) => frame.includes("attached")));
}

const offsetsOf = ({ said }: TakenUplink): number[] =>
  said.flatMap((frame) => /"p":"e\.0:(\d+)"/.exec(frame)?.slice(1).map(Number) ?? []);

async function receives(uplink: TakenUplink, last: number): Promise<void> {
  await uplink.until((uplink) => offsetsOf(uplink).at(-1) === last);
  expect(offsetsOf(uplink)).toEqual(Array.from({ length: last + 1 }, (_, offset) => offset));
}

const stateOf = ({ url }: ScriptedShards) =>
  edges
    .facts()
    .find(({ edge }) => edge === url.origin)
    ?.uplinks.map(({ state }) => state);

test("[D1] each edge that watches an endpoint is sent its updates, each once; one that doesn't is sent none", async () => {
  const third = await ScriptedShards.start();
  start([at(one), at(other), at(third)]);
  const uplinks = [await one.uplink(1), await other.uplink(1)];
  const idle = await third.uplink(1);
  for (const uplink of uplinks) await attach(uplink);

  for (const offset of [0, 1, 2]) origin.read(0, "e.0", record(offset, "a", "1"));

  for (const uplink of uplinks) await receives(uplink, 2);
  await idle.until(({ pings }) => pings > 2);
  expect(offsetsOf(idle)).toEqual([]);
  await third.stop();
});

test("[D1] an edge that is away holds up no other, is named in facts and events, and is dialled until it comes", async () => {
  const gone = { url: new URL(`http://127.0.0.1:${await freePort()}`) };
  start([at(gone), at(one)]);
  const uplink = await one.uplink(1);
  await attach(uplink);
  origin.read(0, "e.0", record(0, "a", "1"));

  await receives(uplink, 0);

  const { edge, reason } = await origin.recorded.until("uplink_closed", 2);
  expect([edge, reason]).toEqual([gone.url.origin, expect.stringContaining("can't be reached")]);
  const [away, there] = edges.facts();
  expect(away).toMatchObject({ edge: gone.url.origin, uplinks: [{ shard: 0, state: "dialling" }] });
  expect(away?.counts.closed).toBeGreaterThan(1);
  expect(there).toMatchObject({
    edge: one.url.origin,
    uplinks: [{ state: "active" }],
    counts: { closed: 0 },
  });
  expect(there?.sentBytes).toBeGreaterThan(0);
});

test("[D1] [U10] an edge that reads slowly holds up no other, and is sent what it missed when it reads on", async () => {
  const value = "x".repeat(64 * 1024);
  start([at(one), at(other)], { backlogBytes: 256 * 1024 });
  const slow = await one.uplink(1);
  const quick = await other.uplink(1);
  for (const uplink of [slow, quick]) await attach(uplink);

  slow.socket.pause();
  let last = -1;
  // The quick one has read each before the next is read: what is unsent is the slow one's alone.
  while (origin.recorded.of("uplink_congested").length === 0 || last < 20) {
    origin.read(0, "e.0", record(++last, "a", value));
    await receives(quick, last);
  }

  expect(origin.recorded.of("uplink_congested")).toEqual([{ edge: one.url.origin, shard: 0 }]);
  expect(edges.facts().map(({ counts }) => counts.congested)).toEqual([1, 0]);
  expect(offsetsOf(slow).length).toBeLessThanOrEqual(last);
  slow.socket.resume();
  await receives(slow, last);
});

test("[D3] [U9] [W8] each is told whether the origin is ready, and what it writes, whichever came first", async () => {
  start([at(one)]);
  await (await one.uplink(1)).until(({ said }) => said.length > 0);
  await origin.recorded.until("uplink_open");
  edges.setReady(true);
  edges.tellWriting({ topic: "t", partition: 0, partitions: 1, number: "taking" });
  await (await one.uplink(1)).until(({ said }) => said.some((frame) => frame.includes('"taking":true')));

  edges.change([at(one), at(other)]);

  const later = await other.uplink(1);
  await later.until(({ said }) => said.includes('0 {"ready":true}'));
  edges.tellWriting({ topic: "t", partition: 0, partitions: 1, number: { id: 4, epoch: 2 } });
  for (const uplink of [await one.uplink(1), later])
    await uplink.until(({ said }) => said.some((frame) => frame.includes('"number":[4,2]')));
});

test("[D1] [U15] an edge that is taken away is told that the origin leaves, before its uplinks are closed; others stay", async () => {
  one.role = "active";
  start([at(one), at(other)]);
  const [leaving, staying] = [await one.uplink(1), await other.uplink(1)];
  await origin.recorded.until("uplink_open", 2);
  await attach(staying);

  edges.change([at(other)]);

  await leaving.until(({ said }) => said.includes('0 {"leaving":true}'));
  leaving.socket.close(CLOSE.going_away, "going_away");
  await leaving.until(({ closed }) => closed);
  expect(origin.recorded.of("edges_changed")).toEqual([{ added: [], removed: [one.url.origin] }]);
  expect(edges.facts().map(({ edge }) => edge)).toEqual([other.url.origin]);
  origin.read(0, "e.0", record(0, "a", "1"));
  await receives(staying, 0);
  expect(one.uplinks).toHaveLength(1);
});

test("an edge that comes back to the list is dialled anew, and one that stays in it isn't touched", async () => {
  start([at(one), at(other)]);
  await Promise.all([one.uplink(1), other.uplink(1)]);
  await origin.recorded.until("uplink_open", 2);

  edges.change([at(other)]);
  edges.change([at(other), at(one)]);
  await one.uplink(2);

  expect(other.uplinks).toHaveLength(1);
  expect(stateOf(other)).toEqual(["active"]);
});

test("[D5] all edges at one address are dialled, each as an edge of its own, and again as many as there are then", async () => {
  one.edges = 2;
  one.shards = 2;
  start([at(one), at(other)]);
  const [address, names] = [one.url.origin, () => edges.facts().map(({ edge }) => edge)];
  await origin.recorded.until("uplink_open", 5);
  expect(one.uplinks.map(({ edge, shard }) => `${edge}/${shard}`).sort()).toEqual([
    "0/0",
    "0/1",
    "1/0",
    "1/1",
  ]);
  expect(new Set(names())).toEqual(new Set([address, `${address}#1`, other.url.origin]));

  one.edges = 3;
  for (const { socket } of one.uplinks) socket.terminate();
  await origin.recorded.until("uplink_open", 11);
  expect(names()).toContain(`${address}#2`);

  one.edges = undefined;
  for (const { socket } of one.uplinks) socket.terminate();
  await origin.recorded.until("edges_changed", 3);
  expect(origin.recorded.of("edges_changed")).toEqual([
    { added: [`${address}#1`], removed: [] },
    { added: [`${address}#2`], removed: [] },
    { added: [], removed: [`${address}#1`, `${address}#2`] },
  ]);
  expect(new Set(names())).toEqual(new Set([address, other.url.origin]));

  edges.change([at(other)]);
  expect(names()).toEqual([other.url.origin]);
  expect(other.uplinks).toHaveLength(1);
});

test("[U1] each is dialled with its own key, as the file has it then", async () => {
  const keyOf = (kid: string, secret: string) => ({ ...KEY, kid, secret: new TextEncoder().encode(secret) });
  let now = [at(one), at(other, keyOf("k2", "f".repeat(32)))];
  start(now, { current: async () => now });

  await one.uplink(1);
  const { edge, reason } = await origin.recorded.until("uplink_refused");
  expect([edge, reason]).toEqual([other.url.origin, expect.stringContaining("401")]);
  expect(edges.facts()[1]).toMatchObject({ counts: { refused: expect.any(Number) } });

  now = [at(one), at(other, { ...KEY, kid: "k3" })];

  await other.uplink(1);
  expect(other.tokens.map(({ kid }) => kid)).toContain("k3");
  expect(new Set(one.tokens.map(({ kid }) => kid))).toEqual(new Set(["k1"]));
});

test("nothing is dialled any more once the origin has begun to stop", async () => {
  start([at(one)]);
  await one.uplink(1);
  await edges.leave();

  edges.change([at(one), at(other)]);

  expect(edges.facts().map(({ edge }) => edge)).toEqual([edgeName(at(one))]);
  expect(origin.recorded.of("edges_changed")).toEqual([]);
});

describe("[D4] what is revoked at one edge", () => {
  const REVOCATION: Revocation = {
    id: "r",
    meant: { of: "all", issuer: "i", before: 1 },
    graceMs: 0,
    madeAt: 1,
    until: 2 ** 50,
  };
  let kept: Revocation[];

  beforeEach(() => {
    kept = [];
  });

  const startWithRevocations = (list: readonly Edge[]) =>
    start(list, {
      revocations: new RevocationSpreading({
        kept: {
          all: () => kept,
          keep: (revocation) => kept.push(revocation) > 0,
        },
        tell: (revocation) => edges.tellRevocation(revocation),
      }),
    });
  /** The shard hears of revocations, and says that it has stored them. */
  async function learns(uplink: TakenUplink): Promise<unknown> {
    const frame = await uplink.until(({ said }) => said.find((one) => one.startsWith('0 {"revocations"')));
    const { id, revocations } = JSON.parse(frame.slice(2)) as { id: number; revocations: unknown };
    uplink.say(encodeLearnt(id));
    return revocations;
  }
  const spreadOut = async (uplink: TakenUplink) => {
    const frame = await uplink.until(({ said }) => said.find((one) => one.startsWith('0 {"spread"')));
    return JSON.parse(frame.slice(2)) as unknown;
  };

  test("is told to every shard of every edge, and the asker is told when all have stored it", async () => {
    other.shards = 2;
    startWithRevocations([at(one), at(other)]);
    const asker = await one.uplink(1);
    const others = [await other.uplink(1), await other.uplink(2)];
    await origin.recorded.until("uplink_open", 3);

    asker.say(encodeSpread(5, REVOCATION));

    for (const uplink of [asker, ...others]) expect(await learns(uplink)).toEqual([REVOCATION]);
    expect(await spreadOut(asker)).toEqual({
      ...{ spread: "stored", id: 5, stored: [one.url.origin, other.url.origin], missing: [] },
    });
    expect(kept).toEqual([REVOCATION]);
  });

  test("is missing where not every shard is there, or one goes; these are told when they come", async () => {
    const gone = { url: new URL(`http://127.0.0.1:${await freePort()}`) };
    startWithRevocations([at(one), at(other), at(gone)]);
    const [asker, leaving] = [await one.uplink(1), await other.uplink(1)];
    await origin.recorded.until("uplink_open", 2);

    asker.say(encodeSpread(5, REVOCATION));
    await learns(asker);
    await leaving.until(({ said }) => said.some((frame) => frame.startsWith('0 {"revocations"')));
    leaving.socket.terminate();

    expect(await spreadOut(asker)).toMatchObject({
      ...{ stored: [one.url.origin], missing: [other.url.origin, gone.url.origin] },
    });
    expect(await learns(await other.uplink(2))).toEqual([REVOCATION]);
  });

  test("is missing where nobody says within 3 s that it is stored", async () => {
    startWithRevocations([at(one), at(other)]);
    const asker = await one.uplink(1);
    await other.uplink(1);
    await origin.recorded.until("uplink_open", 2);

    asker.say(encodeSpread(5, REVOCATION));
    await learns(asker);

    expect(await spreadOut(asker)).toMatchObject({ stored: [one.url.origin], missing: [other.url.origin] });
  });
});

test("[D6] an edge is told how many subscribers others have, as long as these are there; one that is alone is told that it is", async () => {
  const exchange: OccupancyExchange = new OccupancyExchange({
    now: () => performance.now(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    tells: () => true,
    opening: () => edges.opening(),
  });
  const path = "/t/a";
  const hears = (uplink: TakenUplink, frame: string) =>
    uplink.until(({ said }) => said.includes(`0 ${frame}`));
  start([at(one)], { occupancy: exchange });
  const asker = await one.uplink(1);
  await hears(asker, '{"hello":{"version":1,"origin":"here","alone":true}}');
  await origin.recorded.until("uplink_open");

  edges.change([at(one), at(other)]);
  await hears(asker, encodeAlone(false));
  asker.say(encodeCount(path));
  const asked = await other.uplink(1);
  await hears(asked, encodeCount(path));
  asked.say(encodeCounted(path, 3));
  await hears(asker, encodeElsewhere(path, 3));

  edges.change([at(one)]);
  await hears(asker, encodeAlone(true));
  expect(exchange.size).toBe(0);
});
