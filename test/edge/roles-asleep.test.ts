/** What a shard without links, which may hibernate, still knows of its uplinks when it wakes. */
import { once } from "node:events";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import WebSocket from "ws";
import { encodeHello } from "../../shared/protocol/uplink.ts";
import { UPLINK_PROTOCOL, VERSION } from "../../shared/protocol/version.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

let edge: TestEdge;

beforeAll(async () => {
  edge = await startEdge();
}, 60_000);
afterAll(() => edge.close());

async function areAll(expected: object): Promise<true> {
  const health = await fetch(`${edge.url}/$/health`);
  const { shards } = (await health.json()) as { shards: unknown[] };
  for (const shard of shards) expect(shard).toMatchObject(expected);
  return true;
}

test("[U11] [U14] who is active and who stands by, and that one takes over", async () => {
  const active = await new ScriptedOrigin({ url: edge.url, name: "active" }).connect();
  const standby = await new ScriptedOrigin({ url: edge.url, name: "standby", log: active.log }).connect();
  const both = {
    origin: "active",
    ready: true,
    generation: 1,
    standbys: [{ origin: "standby", ready: true }],
  };
  await eventually(() => areAll(both), "both have said that they are ready");

  await Promise.all([edge.evictShard(0), edge.evictShard(1)]);
  await areAll(both);
  active.append("/quotes/A", 1);
  expect(await (await fetch(`${edge.url}/quotes/A`)).json()).toBe(1);
  await Promise.all([edge.evictShard(0), edge.evictShard(1)]);
  active.cut();

  const other = { origin: "standby", ready: true, generation: 2, standbys: [] };
  await eventually(() => areAll(other), "the standby is active");
  expect(await (await fetch(`${edge.url}/quotes/A`)).json()).toBe(1);
  standby.cut();
}, 60_000);

test("[U2] an uplink that never says hello keeps its shard awake no longer than it may wait for one", async () => {
  const dial = async (name: string) => {
    const authorization = `Bearer ${await ScriptedOrigin.token({ name })}`;
    const socket = new WebSocket(`${edge.wsUrl}/$/uplink?shard=0`, [UPLINK_PROTOCOL], {
      headers: { authorization },
    });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    return socket;
  };
  const silent = once(await dial("standby"), "close");
  // A shard with a timer is never evicted.
  await edge.evictShard(0);
  const [code, reason] = await silent;
  expect([code, String(reason)]).toEqual([4000, "going_away"]);

  const [liar, honest] = [await dial("standby"), await dial("scripted")];
  const refused = once(liar, "close");
  const greeted = once(honest, "message");
  liar.send(encodeHello({ version: VERSION, origin: "active" }));
  honest.send(encodeHello({ version: VERSION, origin: "scripted" }));

  expect((await refused)[0]).toBe(4503);
  expect(String((await greeted)[0])).toContain('{"hello":');
}, 60_000);
