/**
 * Origins that say they are others, in the real runtime: whoever holds a key is the origin that it names, and can be no
 * other, however it tries. What the other serves goes on.
 */
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import WebSocket from "ws";
import { encodeHello } from "../../shared/protocol/uplink.ts";
import { UPLINK_PROTOCOL, VERSION } from "../../shared/protocol/version.ts";
import { edgeKeyOf, startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

const DIALS = 50;
const UNAUTHORIZED = { code: 4503, reason: "unauthorized" };

let edge: TestEdge;
let active: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge();
}, 60_000);
beforeEach(async () => {
  active = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
  return () => active.cut();
});
afterAll(() => edge.close());

const isUnharmed = () => active.uplinks.every(({ closed }) => closed === undefined);

/** A subscriber to what `active` serves; `flows` proves that it has got everything, and one record more. */
async function watching() {
  const path = `/quotes/name-${++keys}`;
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}`);
  onTestFinished(() => subscriber.close());
  await subscriber.verdict();
  let written = 0;
  const flows = async () => {
    active.append(path, ++written);
    await subscriber.until(({ updates }) => updates.length >= written, `update ${written}`);
    const values = Array.from({ length: written }, (_, i) => String(i + 1));
    expect(subscriber.updates.map(({ value }) => String(value))).toEqual(values);
    expect(subscriber.violations).toEqual([]);
  };
  await flows();
  return { path, flows };
}

/** What the holder of the key of `standby` sends. */
function uplinkOfStandby(shard: number, token: string, more: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(`${edge.wsUrl}/$/uplink?shard=${shard}`, [UPLINK_PROTOCOL], {
    headers: { Authorization: `Bearer ${token}`, ...more },
  });
  onTestFinished(() => socket.terminate());
  return socket;
}

async function opened(...dial: Parameters<typeof uplinkOfStandby>): Promise<WebSocket> {
  const socket = uplinkOfStandby(...dial);
  await once(socket, "open");
  return socket;
}

async function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return { code, reason: reason.toString() };
}

test("[U1] a token that says another's name gets nowhere, for shards and for uplinks, and the log says whose key it was", async () => {
  const { flows } = await watching();
  const { kid, secret } = edgeKeyOf("standby");
  const forged = await ScriptedOrigin.token({ kid, secret, name: "active" });

  for (let dial = 0; dial < DIALS; dial++) {
    const socket = uplinkOfStandby(dial % 2, forged);
    const [, response] = await once(socket, "unexpected-response");
    expect([response.statusCode, response.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringContaining('error_description="other_name"'),
    ]);
    socket.on("error", () => undefined);
  }
  const answer = await fetch(`${edge.url}/$/uplink`, { headers: { Authorization: `Bearer ${forged}` } });

  expect(answer.status).toBe(401);
  expect(isUnharmed()).toBe(true);
  await flows();
  expect(edge.logs().join("\n")).toContain(
    'an origin was refused: the key key-of-standby is that of standby, and the token says "active"',
  );
});

test.each([
  ["the active origin's", "active", undefined],
  ["the active origin's, for a slice", "active", { number: 1, count: 2 }],
  ["that of one that isn't there", "scripted", undefined],
  ["none", "", undefined],
])(
  "[U2] a hello that says another name is refused, %s, however often it is dialled",
  async (_, name, slice) => {
    const { path, flows } = await watching();
    const generation = active.uplinkOf(path).hello?.generation;
    const token = await ScriptedOrigin.token({ name: "standby" });

    for (let dial = 0; dial < DIALS; dial++) {
      const socket = await opened(dial % 2, token);
      const heard: string[] = [];
      socket.on("message", (data) => heard.push(String(data)));
      const closed = closeOf(socket);
      socket.send(encodeHello({ version: VERSION, origin: name, slice }));
      // What it says after that, its own name too, counts no more.
      socket.send(encodeHello({ version: VERSION, origin: "standby", slice }));
      socket.send('0\t{"ready":true}');
      socket.send(`1,2,3\t{"e":"${path}","p":"e.0:999","v":"forged"}`);
      expect(await closed).toEqual(UNAUTHORIZED);
      expect(heard).toEqual([]);
    }

    expect(isUnharmed()).toBe(true);
    await flows();
    const { shards } = (await (await fetch(`${edge.url}/$/health`)).json()) as { shards: unknown[] };
    for (const shard of shards)
      expect(shard).toMatchObject({ origin: "active", standbys: [], slices: [{ slice: "1/1" }] });
    expect(active.uplinkOf(path).hello?.generation).toBe(generation);
    expect(edge.logs().join("\n")).toContain("an uplink of standby is closed: unauthorized");
  },
);

test("[U2] [U12] one that dials by its own name again and again replaces itself alone", async () => {
  const { flows } = await watching();
  const standby = new ScriptedOrigin({ url: edge.url, log: active.log, name: "standby" });
  onTestFinished(() => standby.cut());

  // Not ready, since it would rightly take over from one of which nothing was heard for 3 s.
  for (let dial = 0; dial < DIALS; dial++) await standby.connect({ ready: false });

  expect(isUnharmed()).toBe(true);
  expect(standby.uplinks.map(({ hello }) => hello?.role)).toEqual(["standby", "standby"]);
  await flows();
});

test("[U1] [U2] what a request claims besides its token names no origin", async () => {
  const { flows } = await watching();
  const token = await ScriptedOrigin.token({ name: "standby" });
  const claims = { "Distributary-Origin": "active", "X-Origin": "active", Origin: "https://active.example" };
  const socket = new WebSocket(`${edge.wsUrl}/$/uplink?shard=0&origin=active`, [UPLINK_PROTOCOL], {
    headers: { Authorization: `Bearer ${token}`, ...claims },
  });
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  const closed = closeOf(socket);

  socket.send(encodeHello({ version: VERSION, origin: "active" }));

  expect(await closed).toEqual(UNAUTHORIZED);
  expect(isUnharmed()).toBe(true);
  await flows();
});

test("[U1] [U12] a name can have several keys, so that one takes the other's place while it serves", async () => {
  const { kid, name, secret } = edgeKeyOf("active");
  const rotated = await startEdge({
    UPLINK_KEYS: `${kid}:${name}:${secret},newer:${name}:${"n".repeat(32)}`,
  });
  onTestFinished(() => rotated.close());

  for (const claims of [{}, { kid: "newer", secret: "n".repeat(32) }]) {
    const token = await ScriptedOrigin.token({ name, ...claims });
    const answer = await fetch(`${rotated.url}/$/uplink`, { headers: { Authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  }
}, 60_000);
