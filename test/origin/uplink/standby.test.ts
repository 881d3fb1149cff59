/** An origin's uplinks where several origins share a shard. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Uplinks, type UplinksTiming } from "../../../origin/uplink/uplinks.ts";
import { encodeAttach } from "../../../shared/protocol/attach.ts";
import { CLOSE } from "../../../shared/protocol/codes.ts";
import { encodeActive } from "../../../shared/protocol/uplink.ts";
import { KEY, ScriptedShards, type TakenUplink, UPLINK_TIMING } from "../../support/scripted-shards.ts";
import { record, SmallOrigin } from "../../support/small-origin.ts";

const TIMING: UplinksTiming = { ...UPLINK_TIMING, replaced: { baseMs: 25, maxMs: 200 } };
const READY = '0 {"ready":true}';
const LEAVING = '0 {"leaving":true}';

let edge: ScriptedShards;
let origin: SmallOrigin;
let uplinks: Uplinks;

beforeEach(async () => {
  edge = await ScriptedShards.start();
  origin = new SmallOrigin();
});

afterEach(async () => {
  await uplinks.stop();
  await edge.stop();
});

function start(timing: Partial<UplinksTiming> = {}): void {
  uplinks = new Uplinks({
    edgeUrl: edge.url,
    key: KEY,
    watchList: origin.watchList,
    log: origin.recorded.log,
    random: () => 1,
    failed: (error) => {
      throw error;
    },
    timing: { ...TIMING, ...timing },
  });
  uplinks.start();
}

const beats = ({ said }: TakenUplink) => said.filter((frame) => frame.includes("ready")).length;

test("[U9] [U11] a standby says every second whether it is ready, and nothing else; when it is active it stops", async () => {
  edge.role = "standby";
  origin.describe({ epoch: "e.0" });
  start();
  const uplink = await edge.uplink(1);
  await uplink.until((taken) => beats(taken) > 3);
  uplinks.setReady(true);
  await uplink.until(({ said }) => said.filter((frame) => frame === READY).length > 3);
  origin.read(0, "e.0", record(0, "a", "1"));
  expect(uplink.said.filter((frame) => !frame.includes('{"ready":'))).toEqual([
    '0 {"hello":{"version":1,"origin":"here"}}',
  ]);

  uplink.say(encodeActive(9));
  uplink.say(encodeAttach({ endpoint: "/t/a", id: 0, from: new Map([["e.0", 0]]) }, 7));
  await uplink.until(({ said }) => said.some((frame) => frame.startsWith('7 {"attached"')));
  const before = beats(uplink);
  const { pings } = uplink;
  await uplink.until((taken) => taken.pings > pings + 10);

  expect(beats(uplink)).toBe(before);
  expect(await origin.recorded.until("uplink_open")).toEqual({ shard: 0, generation: 1, role: "standby" });
  expect(await origin.recorded.until("uplink_active")).toEqual({ shard: 0, generation: 9 });
});

test.each([undefined, "active"] as const)(
  "[U9] an origin whose shard says of its role %j sends pings, and its readiness once",
  async (role) => {
    edge.role = role;
    start();
    const uplink = await edge.uplink(1);
    await origin.recorded.until("uplink_open");
    uplinks.setReady(true);

    await uplink.until(({ pings }) => pings > 10);

    expect(uplink.said).toEqual(['0 {"hello":{"version":1,"origin":"here"}}', READY]);
  },
);

test("[U12] [U14] after it was replaced it dials again soon, and ever later if that goes on", async () => {
  start();
  for (const nth of [1, 2, 3, 4, 5, 6]) {
    const uplink = await edge.uplink(nth);
    await origin.recorded.until("uplink_open", nth);
    uplink.socket.close(CLOSE.replaced, "replaced");
  }
  await origin.recorded.until("uplink_replaced", 6);

  expect(origin.recorded.of("uplink_replaced").map(({ retryMs }) => retryMs)).toEqual([
    25, 50, 100, 200, 200, 200,
  ]);
});

test("[U12] an uplink that lasted is followed by a short delay again", async () => {
  start({ replaced: { baseMs: 100, maxMs: 200 } });
  for (const nth of [1, 2]) (await edge.uplink(nth)).socket.close(CLOSE.replaced, "replaced");
  const third = await edge.uplink(3);
  await third.until(({ pings }) => pings > 50);
  third.socket.close(CLOSE.replaced, "replaced");

  await origin.recorded.until("uplink_replaced", 3);

  expect(origin.recorded.of("uplink_replaced").map(({ retryMs }) => retryMs)).toEqual([100, 200, 100]);
});

test("[U15] who leaves tells each shard, forwards until it is let go, and dials no more", async () => {
  edge.role = "active";
  edge.shards = 2;
  origin.describe({ epoch: "e.0" });
  origin.read(0, "e.0");
  start();
  await edge.uplink(2);
  await origin.recorded.until("uplink_open", 2);
  const [first, second] = edge.uplinks;
  first?.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 7));
  await first?.until(({ said }) => said.some((frame) => frame.startsWith('7 {"attached"')));

  let left = false;
  const leaving = uplinks.leave().then(() => {
    left = true;
  });
  for (const uplink of edge.uplinks) await uplink.until(({ said }) => said.includes(LEAVING));
  origin.read(0, "e.0", record(0, "a", "1"));
  await first?.until(({ said }) => said.some((frame) => frame.endsWith('"v":1}')));
  first?.socket.close(CLOSE.going_away, "going_away");
  await first?.until(({ closed }) => closed);
  expect(left).toBe(false);
  second?.socket.close(CLOSE.going_away, "going_away");
  await leaving;

  await uplinks.stop();
  expect(edge.dials).toHaveLength(2);
});

test("[U15] a shard that doesn't let go isn't waited for, and one that knows no roles isn't asked", async () => {
  edge.role = "active";
  start({ leaveMs: 30 });
  const deaf = await edge.uplink(1);
  await origin.recorded.until("uplink_open");
  await uplinks.leave();
  await deaf.until(({ said }) => said.includes(LEAVING));
  await uplinks.stop();

  edge.role = undefined;
  start();
  const old = await edge.uplink(2);
  await origin.recorded.until("uplink_open", 2);
  await uplinks.leave();
  await uplinks.stop();

  await old.until(({ closed }) => closed);
  expect(old.said.join()).not.toContain("leaving");
});
