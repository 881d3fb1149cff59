import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Uplinks, type UplinksOptions, type UplinksTiming } from "../../../origin/uplink/uplinks.ts";
import { encodeAttach } from "../../../shared/protocol/attach.ts";
import { CLOSE } from "../../../shared/protocol/codes.ts";
import { decodeUpdate, routingOf } from "../../../shared/protocol/frame.ts";
import { encodeDetach, encodeGet } from "../../../shared/protocol/uplink.ts";
import { UPLINK_PROTOCOL } from "../../../shared/protocol/version.ts";
import { KEY, ScriptedShards, UPLINK_TIMING } from "../../support/scripted-shards.ts";
import { record, SmallOrigin } from "../../support/small-origin.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";

const TIMING: UplinksTiming = { ...UPLINK_TIMING, deadMs: 1_000, leaveMs: 1_000 };

let edge: ScriptedShards;
let origin: SmallOrigin;
let uplinks: Uplinks;
const failures: unknown[] = [];

beforeEach(async () => {
  edge = await ScriptedShards.start();
  origin = new SmallOrigin();
  failures.length = 0;
});

afterEach(async () => {
  await uplinks.stop();
  await edge.stop();
  expect(failures).toEqual([]);
});

function start(timing: Partial<UplinksTiming> = {}, options: Partial<UplinksOptions> = {}): void {
  uplinks = new Uplinks({
    edgeUrl: edge.url,
    key: KEY,
    watchList: origin.watchList,
    log: origin.recorded.log,
    random: () => 1,
    failed: (error) => failures.push(error),
    timing: { ...TIMING, ...timing },
    ...options,
  });
  uplinks.start();
}

describe("dialling", () => {
  test("[U1] an uplink to each shard, each request with a token of its own that the edge's key verifies", async () => {
    edge.shards = 3;
    start();

    await edge.uplink(3);

    expect(edge.uplinks.map(({ shard }) => shard).sort()).toEqual([0, 1, 2]);
    expect(edge.tokens.length).toBe(4);
    for (const token of edge.tokens)
      expect(token).toEqual({ kid: "k1", aud: "distributary-uplink", sub: "here", life: 60 });
  });

  test("[U1] each request is signed with the key as it is then", async () => {
    let key = { ...KEY, secret: new TextEncoder().encode("f".repeat(32)) };
    const currentKey = async () => key;
    start({}, { currentKey });
    await origin.recorded.until("uplink_refused");

    key = KEY;

    expect((await edge.uplink(1)).shard).toBe(0);
  });

  test("[U2] [V1] the origin offers its version and says hello first", async () => {
    start();
    const uplink = await edge.uplink(1);

    await uplink.until(({ said }) => said.length > 0);

    expect(uplink.socket.protocol).toBe(UPLINK_PROTOCOL);
    expect(uplink.said[0]).toBe('0 {"hello":{"version":1,"origin":"here"}}');
    expect(await origin.recorded.until("uplink_open")).toEqual({
      shard: 0,
      generation: 1,
      role: "active",
    });
  });

  test("[N1] an origin of a slice says so, and is of no use to an edge that doesn't understand that", async () => {
    start({}, { slice: { number: 2, count: 4 } });
    const uplink = await edge.uplink(1);

    await uplink.until(({ closed }) => closed);

    expect(uplink.said).toEqual(['0 {"hello":{"version":1,"origin":"here","slice":"2/4"}}']);
    expect(uplink.closed).toEqual({ code: CLOSE.unsupported_version, reason: "unsupported_version" });
    const { reason } = await origin.recorded.until("uplink_refused");
    expect(reason).toBe("the edge knows no slices, and this origin has only 2/4");
  });

  test("[N1] an edge that does repeats it", async () => {
    edge.greets = false;
    start({}, { slice: { number: 2, count: 4 } });
    const uplink = await edge.uplink(1);
    uplink.say('{"hello":{"version":1,"shard":0,"shards":1,"generation":1,"role":"active","slice":"2/4"}}');

    await origin.recorded.until("uplink_open");
    uplink.say(encodeGet("/t/a", 1));
    await uplink.until(({ said }) => said.length > 1);
  });

  test("how each shard's uplink stands can be seen, and why one isn't open", async () => {
    edge.shards = 2;
    edge.greets = false;
    start();
    const first = await edge.uplink(1);
    await edge.uplink(2);
    expect(uplinks.facts()).toMatchObject([{ state: "dialling" }, { state: "dialling" }]);

    first.hello(2);
    await origin.recorded.until("uplink_open");
    expect(uplinks.facts().filter(({ state }) => state === "active")).toMatchObject([{ shard: first.shard }]);
    expect(uplinks.sentBytes).toBeGreaterThan(0);

    const sent = uplinks.sentBytes;
    edge.status = 401;
    first.socket.terminate();
    await origin.recorded.until("uplink_refused");
    expect(uplinks.facts()[first.shard]).toMatchObject({
      state: "refused",
      reason: "the edge answers with status 401 when asked for its shards",
    });
    expect(uplinks.sentBytes).toBeGreaterThanOrEqual(sent);
  });

  test("[U1] after a break the number of shards is asked again; shards that have come and gone are followed", async () => {
    edge.shards = 2;
    start();
    const first = await edge.uplink(1);
    await edge.uplink(2);

    edge.shards = 3;
    first.socket.terminate();
    await edge.until(() => edge.uplinks.some(({ shard }) => shard === 2));
    edge.shards = 1;
    const third = edge.uplinks.find(({ shard }) => shard === 2);
    edge.uplinks.findLast(({ shard }) => shard === 0)?.socket.terminate();

    expect(await third?.until(({ closed }) => closed)).toEqual({
      code: CLOSE.going_away,
      reason: "going_away",
    });
    expect(origin.recorded.of("shards_changed").map(({ shards }) => shards)).toEqual([2, 3, 1]);
  });

  test("[U2] a shard's hello that names another number of shards is believed", async () => {
    edge.greets = false;
    start();
    const first = await edge.uplink(1);

    edge.greets = true;
    edge.shards = 2;
    first.hello(2);

    expect((await edge.uplink(2)).shard).toBe(1);
  });

  test.each([
    ["when it is asked", 0],
    ["in a hello", 1],
  ])("[U1] [U2] an edge that says %s that it has more shards than can be is refused", async (_, dials) => {
    edge.shards = dials === 0 ? 1_000_000 : 1;
    edge.greets = false;
    start();
    if (dials > 0) (await edge.uplink(1)).hello(1_000_000);

    const { reason } = await origin.recorded.until("uplink_refused");

    expect(reason).toBe("the edge says that it has 1000000 shards, and no edge has more than 64");
    expect(edge.dials.length).toBe(dials);
    expect(uplinks.facts()).toMatchObject([{ shard: 0, state: "refused" }]);
  });

  test("[U9] readiness is told to shards that come, and when it changes", async () => {
    start();
    const first = await edge.uplink(1);
    await origin.recorded.until("uplink_open");

    uplinks.setReady(true);
    uplinks.setReady(true);
    await first.until(({ said }) => said.includes('0 {"ready":true}'));
    first.socket.terminate();
    const second = await edge.uplink(2);
    await second.until(({ said }) => said.includes('0 {"ready":true}'));
    uplinks.setReady(false);

    await second.until(({ said }) => said.includes('0 {"ready":false}'));
    expect(first.said.filter((frame) => frame.includes("ready"))).toHaveLength(1);
  });

  test("stopping closes with going_away and dials no more", async () => {
    start();
    const uplink = await edge.uplink(1);
    await origin.recorded.until("uplink_open");

    await uplinks.stop();

    expect(await uplink.until(({ closed }) => closed)).toEqual({
      code: CLOSE.going_away,
      reason: "going_away",
    });
    expect(edge.dials).toHaveLength(1);
    expect(origin.recorded.of("uplink_closed")).toEqual([]);
  });
});

describe("what breaks", () => {
  test("[U9] [S8] the origin pings; one on which nothing is heard is dialled again", async () => {
    edge.answersPings = false;
    start({ deadMs: 1_500 });
    const first = await edge.uplink(1);

    await origin.recorded.until("uplink_closed");
    edge.answersPings = true;
    const second = await edge.uplink(2);

    expect(first.pings).toBeGreaterThan(0);
    expect((await origin.recorded.until("uplink_closed")).reason).toBe("nothing was heard for 1500 ms");
    // For longer than that.
    await second.until(({ pings }) => pings > 160);
    expect(edge.uplinks).toHaveLength(2);
  });

  test("[U9] an update that takes longer over its line than a shard may be silent arrives all the same", async () => {
    const proxy = await TcpProxy.open(Number(edge.url.port));
    onTestFinished(() => proxy.close());
    proxy.bytesPerSecondTo = 40_000;
    origin.describe({ epoch: "e.0" });
    origin.read(0, "e.0", record(0, "a", "x".repeat(60_000)));
    start({ deadMs: 400 }, { edgeUrl: new URL(`http://127.0.0.1:${proxy.port}`) });

    for (let nth = 1, hasIt = false; !hasIt; nth++) {
      const uplink = await edge.uplink(nth);
      uplink.say(encodeAttach({ endpoint: "/t/a", id: nth, from: undefined }, 7));
      // What comes on one that the next has replaced doesn't count (U12).
      const next = edge.uplink(nth + 1).then(() => false);
      hasIt = await Promise.race([
        next,
        uplink.until(({ said }) => said.some((frame) => frame.includes('"p":"e.0:0"'))),
      ]);
    }

    expect(edge.uplinks.length).toBeLessThan(5);
  });

  test("[U2] a shard that answers pings but never says hello is dialled again", async () => {
    edge.greets = false;
    start({ deadMs: 60 });

    const first = await edge.uplink(1);
    await edge.uplink(2);

    expect(first.pings).toBeGreaterThan(0);
  });

  test("[S10] delays double up to the longest, and it is never given up", async () => {
    edge.status = 503;
    start();

    await origin.recorded.until("uplink_closed", 6);

    const delays = origin.recorded.of("uplink_closed").map(({ retryMs }) => retryMs);
    expect(delays.slice(0, 6)).toEqual([4, 8, 16, 16, 16, 16]);
    edge.status = 200;
    await origin.recorded.until("uplink_open");
  });

  test("[S10] an edge that takes uplinks only to drop them is not dialled ever faster", async () => {
    start({ retry: { baseMs: 50, maxMs: 200 } });
    for (const nth of [1, 2, 3, 4]) (await edge.uplink(nth)).socket.terminate();

    await origin.recorded.until("uplink_closed", 4);

    const delays = origin.recorded.of("uplink_closed").map(({ retryMs }) => retryMs);
    expect(delays).toEqual([50, 100, 200, 200]);
  });

  test("an edge that isn't there is tried again until it is", async () => {
    const { url } = edge;
    await edge.stop();
    start({}, { edgeUrl: url });

    expect((await origin.recorded.until("uplink_closed", 2)).reason).toContain("ECONNREFUSED");
    edge = await ScriptedShards.start();
  });

  test("[C5] a shard that sends what can't be read is left with bad_frame, loudly", async () => {
    start();
    const uplink = await edge.uplink(1);
    await origin.recorded.until("uplink_open");

    uplink.say('{"attach":"/t/a"}');

    expect((await origin.recorded.until("uplink_refused")).reason).toContain("attach");
    expect(await uplink.until(({ closed }) => closed)).toEqual({
      code: CLOSE.bad_frame,
      reason: "bad_frame",
    });
    await edge.uplink(2);
  });

  test("[V4] kinds of frames that a later version adds are ignored", async () => {
    start();
    const uplink = await edge.uplink(1);

    uplink.say('{"later":1}\u001e{"get":"/t/a","id":7,"new":true}');

    await uplink.until(({ said }) => said.some((frame) => frame.startsWith("?7 ")));
    expect(edge.uplinks).toHaveLength(1);
  });
});

describe("refusals", () => {
  test("[U1] a token that the edge doesn't take is told loudly, and tried again, ever later", async () => {
    start({}, { key: { ...KEY, secret: new TextEncoder().encode("f".repeat(32)) } });

    const refused = await origin.recorded.until("uplink_refused", 3);

    expect(refused.reason).toContain("401");
    expect(origin.recorded.of("uplink_refused").map(({ retryMs }) => retryMs)).toEqual([40, 80, 80]);
    expect(origin.recorded.of("uplink_closed")).toEqual([]);
  });

  test("[U1] where it is refused for the time it is tried again as soon as where the edge can't be reached", async () => {
    edge.status = 401;
    edge.challenge = 'Bearer error="invalid_token", error_description="bad_time"';
    start({ retry: { baseMs: 4, maxMs: 60 } });

    await origin.recorded.until("uplink_refused", 3);

    expect(origin.recorded.of("uplink_refused").map(({ retryMs }) => retryMs)).toEqual([40, 60, 60]);
  });

  test("[U1] the same when only the dial is refused", async () => {
    start();
    await edge.until(() => edge.asked === 1);
    edge.status = 401;

    expect(await origin.recorded.until("uplink_refused")).toMatchObject({ shard: 0, retryMs: 40 });
  });

  test("[V1] an edge of another version is told loudly", async () => {
    edge.version = 2;
    start();

    expect((await origin.recorded.until("uplink_refused")).reason).toContain("version 2");
    expect(edge.dials).toEqual([]);
    edge.version = 1;
    await origin.recorded.until("uplink_open");
  });

  test("[V2] a hello of another version closes with unsupported_version", async () => {
    edge.greets = false;
    start();
    const uplink = await edge.uplink(1);

    uplink.hello(1, 2);

    expect(await uplink.until(({ closed }) => closed)).toMatchObject({ code: CLOSE.unsupported_version });
    expect((await origin.recorded.until("uplink_refused")).reason).toContain("version 2");
  });

  test.each(["stale_generation", "unauthorized"] as const)(
    "[C3] after %s it isn't dialled at once",
    async (name) => {
      start();
      const uplink = await edge.uplink(1);
      await origin.recorded.until("uplink_open");

      uplink.socket.close(CLOSE[name], name);

      expect(await origin.recorded.until("uplink_refused")).toMatchObject({
        reason: `closed with ${CLOSE[name]} ${name}`,
        retryMs: 40,
      });
    },
  );
});

describe("traffic", () => {
  beforeEach(() => {
    origin.describe({ epoch: "e.0" });
    origin.read(0, "e.0");
  });

  test("[U3] [U4] [U5] [U8] attaches and questions are answered by address, and detached links get no more", async () => {
    origin.read(0, "e.0", record(0, "a", "1"));
    start();
    const uplink = await edge.uplink(1);

    uplink.say(encodeAttach({ endpoint: "/t/a", id: 3, from: undefined }, 7));
    uplink.say(encodeGet("/t/b", 13));
    await uplink.until(({ said }) => said.length === 4);
    origin.read(0, "e.0", record(1, "a", new Uint8Array([255])));
    await uplink.until(({ binary }) => binary.length === 1);
    uplink.say(encodeDetach("/t/a", 7));
    uplink.say(encodeGet("/t/b", 14));
    await uplink.until(({ said }) => said.some((frame) => frame.startsWith("?14 ")));
    origin.read(0, "e.0", record(2, "a", "3"));
    uplink.say(encodeGet("/t/b", 15));
    await uplink.until(({ said }) => said.some((frame) => frame.startsWith("?15 ")));

    expect(uplink.said.slice(1)).toEqual([
      expect.stringMatching(/^\?13 \{"latest":"\/t\/b"/),
      expect.stringMatching(/^7 \{"attached":"\/t\/a","id":3/),
      `7 {"e":"/t/a","p":"e.0:0","t":1763690000000,"v":1}`,
      expect.stringMatching(/^\?14 /),
      expect.stringMatching(/^\?15 /),
    ]);
    const [frame] = uplink.binary;
    expect(decodeUpdate(Uint8Array.from(frame ?? []))).toMatchObject({
      value: { endpoint: "/t/a", offset: 1, previous: 0, value: { kind: "bytes" } },
    });
  });

  test("updates that are read soon after one another leave together, in order", async () => {
    start({ batchMs: 500 });
    const uplink = await edge.uplink(1);
    uplink.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 7));
    await uplink.until(({ said }) => said.some((frame) => frame.includes("attached")));
    const before = uplink.messages;

    for (let offset = 0; offset < 50; offset++) origin.read(0, "e.0", record(offset, "a", "1"));
    const updates = await uplink.until(({ said }) => said.length >= 52 && said.slice(2));

    expect(updates.map((frame) => routingOf(frame.slice(2))?.offset)).toEqual(
      Array.from({ length: 50 }, (_, offset) => offset),
    );
    // Two where so much time passed before the first of them that it left at once.
    expect(uplink.messages - before).toBeLessThanOrEqual(2);
  });

  test("[U10] an uplink that backs up is not forwarded on, and gets all of it in order once it drains", async () => {
    const value = "x".repeat(64 * 1024);
    const count = 400;
    start({ deadMs: 60_000 }, { backlogBytes: 256 * 1024 });
    const uplink = await edge.uplink(1);
    uplink.say(encodeAttach({ endpoint: "/t/a", id: 1, from: undefined }, 7));
    await uplink.until(({ said }) => said.some((frame) => frame.includes("attached")));

    uplink.socket.pause();
    for (let offset = 0; offset < count; offset++) origin.read(0, "e.0", record(offset, "a", value));
    await origin.recorded.until("uplink_congested");
    uplink.socket.resume();
    const updates = await uplink.until(({ said }) => {
      const found = said.filter((frame) => frame.includes('{"e":')).map((frame) => routingOf(frame.slice(2)));
      return found.at(-1)?.offset === count - 1 && found;
    });

    expect(updates.map((update) => update?.offset)).toEqual(
      Array.from({ length: count }, (_, offset) => offset),
    );
    expect(origin.recorded.of("uplink_drained").length).toBeGreaterThan(0);
  });
});
