/**
 * Parts of today with parts of the first version 1, on either side: what those said stands in v1-frames.ts, letter
 * by letter, and what they hear must be what they can read.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EndpointCore } from "../../../edge/endpoint/endpoint-core.ts";
import { endpointObject } from "../../../edge/object-identity.ts";
import { Uplinks } from "../../../origin/uplink/uplinks.ts";
import { decodeDown } from "../../../shared/protocol/down.ts";
import { decodeUpdate } from "../../../shared/protocol/frame.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { noTokens, PUBLISHING, UNLIMITED } from "../../support/holders.ts";
import { KEY, ScriptedShards, UPLINK_TIMING } from "../../support/scripted-shards.ts";
import { settled } from "../../support/simulated-edge.ts";
import { Clock } from "../../support/simulated-wires.ts";
import { record, SmallOrigin } from "../../support/small-origin.ts";
import { SmallShard } from "../../support/small-shard.ts";
import {
  OBJECT_SAYS,
  ORIGIN_SAYS,
  SHARD_SAYS,
  SHARD_SAYS_DOWN,
  SUBSCRIBER_HEARS,
  SUBSCRIBER_SAYS,
} from "./v1-frames.ts";

const A = "/quotes/A";

/** What an origin of the first version knows of what a shard says; it ignores other kinds. */
const KNOWN_TO_ORIGIN = ["hello", "attach", "detach", "get"];
const known = (frames: readonly unknown[]) =>
  frames.filter((frame) => KNOWN_TO_ORIGIN.some((kind) => Object.hasOwn(Object(frame), kind)));

describe("a shard of today and an origin of the first version", () => {
  function greet(shard: SmallShard): FakeSocket {
    const socket = new FakeSocket();
    shard.core.uplinkOpened(socket, "a");
    shard.core.uplinkMessage(socket, ORIGIN_SAYS.hello);
    shard.core.uplinkMessage(socket, ORIGIN_SAYS.ready);
    return socket;
  }

  test("[V3] [V4] it is greeted, asked, believed and passed on as it always was", async () => {
    const shard = new SmallShard();
    const origin = greet(shard);
    expect(origin.take()).toMatchObject([{ hello: { version: 1, shard: 0, shards: 1, generation: 1 } }]);
    expect(shard.core.status()).toMatchObject({ connected: true, ready: true });

    shard.core.attach(endpointObject(A));
    await settled();
    const down = shard.dialled[0] ?? new FakeSocket();
    expect(down.take()).toEqual([{ hello: { version: 1, shard: 0, generation: 1, dial: 1 } }]);
    shard.core.linkMessage(down, OBJECT_SAYS.attach);
    expect(origin.take()).toEqual([{ attach: A, id: 1, link: 1 }]);
    for (const message of [ORIGIN_SAYS.waiting, ORIGIN_SAYS.attached, ORIGIN_SAYS.live])
      shard.core.uplinkMessage(origin, message);
    shard.core.uplinkMessage(origin, ORIGIN_SAYS.liveBytes);

    const passedOn = (message: string) => message.split(SEPARATOR).map((item) => item.slice(2));
    expect(down.messages.slice(0, 3)).toEqual([
      '{"waiting":"/quotes/A","id":1}',
      passedOn(ORIGIN_SAYS.attached).join(SEPARATOR),
      ...passedOn(ORIGIN_SAYS.live),
    ]);
    expect(down.messages[3]).toEqual(ORIGIN_SAYS.liveBytes.subarray(2));
    expect(origin.closed).toBeUndefined();
  });

  test("[V4] [U8] its answers to questions are understood", async () => {
    const shard = new SmallShard();
    const origin = greet(shard);
    origin.take();

    const latest = shard.core.latest(A);
    expect(origin.take()).toEqual([{ get: A, id: 1 }]);
    shard.core.uplinkMessage(origin, ORIGIN_SAYS.latest);
    expect(await latest).toMatchObject({ kind: "update", position: "Zk3x9Q.0:5" });

    const refused = shard.core.latest(A);
    shard.core.uplinkMessage(origin, ORIGIN_SAYS.refused.replace("?1", "?2"));
    expect(await refused).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("[V4] [U14] it can stand by without knowing: when it becomes active it understands the attaches, and goes on", async () => {
    const shard = new SmallShard();
    const active = shard.connect("today");
    const down = await shard.watch(active, A, 1);
    const origin = greet(shard);
    expect(known(origin.take())).toMatchObject([{ hello: { version: 1, generation: 1 } }]);

    shard.core.linkMessage(down, OBJECT_SAYS.attachFrom);
    shard.core.uplinkClosed(active);
    expect(known(origin.take())).toEqual([
      { attach: A, id: 0, link: 1, from: "e:5" },
      { attach: A, id: 2, link: 1, from: "Zk3x9Q.0:5" },
    ]);
    down.take();
    shard.core.uplinkMessage(origin, ORIGIN_SAYS.caughtUp);
    expect(down.frames).toHaveLength(2);
  });
});

describe("an origin of today and a shard of the first version", () => {
  let edge: ScriptedShards;
  let origin: SmallOrigin;
  let uplinks: Uplinks;

  beforeEach(async () => {
    edge = await ScriptedShards.start();
    edge.greets = false;
    origin = new SmallOrigin();
    origin.describe({ epoch: "e.0" });
    origin.read(0, "e.0", record(0, "a", "1"));
    uplinks = new Uplinks({
      edgeUrl: edge.url,
      key: { ...KEY, name: "a" },
      watchList: origin.watchList,
      log: origin.recorded.log,
      random: () => 0,
      failed: (error) => {
        throw error;
      },
      timing: UPLINK_TIMING,
    });
    uplinks.setReady(true);
    uplinks.start();
  });

  afterEach(async () => {
    await uplinks.stop();
    await edge.stop();
  });

  test("[V3] [V4] [U9] it says what such an origin said, for as long as it runs and when it leaves, and nothing else", async () => {
    const uplink = await edge.uplink(1);
    uplink.say(SHARD_SAYS.hello);
    uplink.say(SHARD_SAYS.attach);
    uplink.say(SHARD_SAYS.get);
    await uplink.until(({ said }) => said.length === 6);
    uplink.say(SHARD_SAYS.attachFrom);
    await uplink.until(({ said }) => said.length === 7);
    const { pings } = uplink;
    await uplink.until((taken) => taken.pings > pings + 20);
    uplink.say(SHARD_SAYS.detach);
    await uplinks.leave();
    await uplinks.stop();
    await uplink.until(({ closed }) => closed);

    const update = '{"e":"/t/a","p":"e.0:0","t":1763690000000,"v":1}';
    const [hello, ready, ...rest] = uplink.said;
    expect([hello, ready]).toEqual([ORIGIN_SAYS.hello, ORIGIN_SAYS.ready].map((s) => s.replace("\t", " ")));
    expect(rest.filter((frame) => frame.startsWith("?"))).toEqual([
      '?13 {"latest":"/t/a","position":"e.0:0","count":1,"oldest":"-"}',
      `?13 ${update}`,
    ]);
    expect(rest.filter((frame) => frame.startsWith("1"))).toEqual([
      '1 {"attached":"/t/a","id":1,"position":"-","head":"e.0:0","to":"e.0:0","horizon":"e.0:0","count":1}',
      `1 ${update}`,
      '1 {"attached":"/t/a","id":0,"position":"e.0:0","head":"e.0:0","recovered":true,"to":"e.0:0","horizon":"e.0:0","count":0}',
    ]);
  });
});

describe("an object of today", () => {
  function create(): EndpointCore {
    const clock = new Clock();
    return new EndpointCore(
      {
        now: () => clock.now,
        wall: () => clock.now,
        verify: noTokens,
        newKey: () => "made",
        random: () => 0.5,
        after: (ms, run) => clock.after(ms, run),
        attach: async () => undefined,
        log: () => undefined,
        pingedAt: () => undefined,
        sent: () => undefined,
        answered: () => undefined,
      },
      {
        path: A,
        shard: 0,
        window: { updates: 10, ageMs: 60_000, bytes: 1_000_000 },
        replays: false,
        limits: UNLIMITED,
        publishing: PUBLISHING,
      },
      { links: [], subscribers: [] },
    );
  }

  test("[V3] [V4] speaks with a shard and with clients of the first version as it always did", () => {
    const core = create();
    const client = new FakeSocket();
    core.subscribe(client, undefined);
    const link = new FakeSocket();
    core.linkOpened(link);
    core.linkMessage(link, SHARD_SAYS_DOWN.hello);
    expect(link.messages).toEqual([OBJECT_SAYS.attach]);

    core.linkMessage(link, SHARD_SAYS_DOWN.attached);
    core.linkMessage(link, SHARD_SAYS_DOWN.live);
    core.clientMessage(client, SUBSCRIBER_SAYS.resume);

    const { verdict, update, live, recovered } = SUBSCRIBER_HEARS;
    const heard = client.messages.join(SEPARATOR).split(SEPARATOR);
    expect(heard).toEqual([verdict, update, live, recovered, live]);
    core.clientClosed(client);
    core.subscribe(new FakeSocket(), undefined);
    expect(link.messages.slice(1)).toEqual([OBJECT_SAYS.empty, OBJECT_SAYS.occupied]);
  });

  test("[V3] clients of today read what an object of the first version says", () => {
    const kinds = Object.entries(SUBSCRIBER_HEARS).map(([name, frame]) => {
      const update = decodeUpdate(frame);
      const down = decodeDown(frame);
      return [name, update.ok ? "update" : down.ok && down.value.kind];
    });

    expect(Object.fromEntries(kinds)).toEqual({
      verdict: "verdict",
      update: "update",
      live: "update",
      recovered: "verdict",
      wait: "wait",
      reset: "reset",
      error: "error",
    });
  });
});
