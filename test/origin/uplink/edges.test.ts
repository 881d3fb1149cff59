/** One origin that dials several edges, as these see it. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Edge, edgeName } from "../../../origin/settings/edges.ts";
import { Edges, type EdgesOptions } from "../../../origin/uplink/edges.ts";
import { encodeAttach } from "../../../shared/protocol/attach.ts";
import { CLOSE } from "../../../shared/protocol/codes.ts";
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
