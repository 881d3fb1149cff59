/** An endpoint with more subscribers than an object takes, in the real runtime. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawEvents } from "../support/raw-events.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";

/** Of an object. */
const FULL = 3;

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({ SHARDS: "1", SUBSCRIBERS_PER_OBJECT: String(FULL) });
  origin = await new ScriptedOrigin({ url: edge.url, shards: 1 }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/crowded-${++keys}`;
const operation = async (name: string) => Number((await edge.operations())[name]);

async function subscribe(
  path: string,
  count: number,
  headers: Record<string, string> = {},
  query = "",
): Promise<RawSubscriber[]> {
  const all: RawSubscriber[] = [];
  for (let i = 0; i < count; i++) {
    const one = new RawSubscriber(`${edge.wsUrl}${path}${query}`, headers);
    await one.verdict();
    all.push(one);
  }
  return all;
}

async function received(all: readonly RawSubscriber[], values: readonly unknown[]): Promise<void> {
  for (const one of all) {
    await one.until(({ updates }) => updates.length >= values.length, `${values.length} updates`);
    expect(one.updates.map(({ value }) => JSON.parse(String(value)) as unknown)).toEqual(values);
    expect(one.violations).toEqual([]);
  }
}

async function occupancyOf(path: string): Promise<number> {
  const answer = await fetch(`${edge.url}${path}?occupancy`);
  return ((await answer.json()) as { subscribers: number }).subscribers;
}

describe("[A11] more subscribers than an object takes", () => {
  test("[A11] [O1] are held by relays, one after the other: all get everything once, each object is sent it once, and they count as those of one endpoint", async () => {
    const path = newPath();
    origin.append(path, "first");
    const created = await operation("object_created.endpoint");
    const own = await subscribe(path, FULL);
    const others = await subscribe(path, 2 * FULL + 1);
    await received([...own, ...others], ["first"]);
    expect((await operation("object_created.endpoint")) - created).toBe(4);

    const sent = await operation("websocket_message_in.endpoint_link");
    origin.append(path, "second");
    await received([...own, ...others], ["first", "second"]);

    expect((await operation("websocket_message_in.endpoint_link")) - sent).toBe(4);
    expect(await occupancyOf(path)).toBe(3 * FULL + 1);
    expect(await (await fetch(`${edge.url}${path}`)).json()).toBe("second");
    // Nobody was moved.
    for (const one of own) expect([one.verdicts.length, one.closed]).toEqual([1, undefined]);
    for (const one of [...own, ...others]) await one.close();
    await eventually(async () => (await occupancyOf(path)) === 0, "nobody is counted");
  });

  test("[A11] [S3] who comes back by position to a relay that never saw it misses nothing", async () => {
    const path = newPath();
    const [first] = [1, 2, 3, 4].map((value) => origin.append(path, value));
    const own = await subscribe(path, FULL);
    const [back] = await subscribe(path, 1, {}, `?from=e.0:${first?.offset}`);
    if (back === undefined) throw new Error("nobody came back");

    await received([back], [2, 3, 4]);
    expect((await back.verdict()).recovered).toBe(true);
    for (const one of [...own, back]) await one.close();
  });

  test("[A11] [A10] relays are those of the client's region", async () => {
    const path = newPath();
    const own = await subscribe(path, FULL);
    const before = await operation("object_created.endpoint");
    const near = await subscribe(path, 1);
    const far = await subscribe(path, 1, { "Distributary-Region": "oc" });
    expect((await operation("object_created.endpoint")) - before).toBe(2);

    await edge.evict(`${path}@oc-0`);
    await edge.evict(`${path}@weur-0`);
    origin.append(path, "awake");
    await received([...own, ...near, ...far], ["awake"]);
    expect((await operation("object_created.endpoint")) - before).toBe(4);
    for (const one of [...own, ...near, ...far]) await one.close();
  });

  test("[A11] [E1] [H13] event streams and waits find room there, too", async () => {
    const path = newPath();
    const at = origin.append(path, "first").offset;
    const own = await subscribe(path, FULL);
    const events = new RawEvents(`${edge.url}${path}`);
    await events.until(({ updates }) => updates.length === 1, "the latest");
    const news = fetch(`${edge.url}${path}`, {
      headers: { "If-None-Match": `"e.0:${at}"`, Prefer: "wait=25" },
    });
    await eventually(async () => (await occupancyOf(path)) === FULL + 2, "all are there");
    origin.append(path, "second");

    expect(await (await news).json()).toBe("second");
    await events.until(({ updates }) => updates.length === 2, "the second");
    expect(events.violations).toEqual([]);
    events.cut();
    for (const one of own) await one.close();
  });

  test("[A11] [W21] [W26] who is held by a relay publishes there, and hears its own answer alone", async () => {
    const path = newPath();
    const all = await subscribe(path, FULL + 2);
    const [publisher, other] = all.slice(FULL);
    publisher?.send({ id: 1, pub: path, v: "published" });
    await publisher?.until(({ others }) => others.length === 1, "an answer");

    expect(publisher?.others).toEqual([{ id: 1, ok: { position: "e.0:7" } }]);
    expect(origin.publishes.filter(({ endpoint }) => endpoint === path)).toHaveLength(1);
    expect(other?.others).toEqual([]);
    for (const one of all) await one.close();
  });

  test("[A11] [A7] a path whose name is long has relays as well, which know it after a hibernation", async () => {
    const path = `/quotes/${"x".repeat(1_016)}`;
    const all = await subscribe(path, FULL + 1);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(path)));
    await edge.evict(`#${Buffer.from(hash).toString("hex")}@weur-0`);

    origin.append(path, "here");
    await received(all, ["here"]);
    for (const one of all) await one.close();
  });

  test("[A11] when all have gone, nobody watches any more", async () => {
    const path = newPath();
    const all = await subscribe(path, 2 * FULL);
    const links = new Set(
      origin.attaches.filter(({ endpoint }) => endpoint === path).map(({ link }) => link),
    );
    expect(links.size).toBe(2);
    for (const one of all) await one.close();

    await eventually(
      async () => origin.detaches.filter(({ endpoint }) => endpoint === path).length === links.size,
      "both are detached",
    );
  });
});

test("[A11] [H9] if all are full one more is refused, until that was a minute ago; and all who come back at once find room", async () => {
  const small = await startEdge({ SHARDS: "1", SUBSCRIBERS_PER_OBJECT: "1" });
  const source = await new ScriptedOrigin({ url: small.url, shards: 1 }).connect();
  const url = `${small.wsUrl}/quotes/full`;
  const most = 1 + LIMITS.relaysPerEndpoint;
  const dialAll = async () => {
    const all: RawSubscriber[] = [];
    for (let i = 0; i < most; i++) {
      const one = new RawSubscriber(url);
      await one.verdict();
      all.push(one);
    }
    return all;
  };
  const refused = async () => {
    const one = new RawSubscriber(url);
    await one.until(({ closed }) => closed !== undefined, "a close");
    return one.closed?.reason;
  };
  try {
    source.append("/quotes/full", 1);
    for (const one of await dialAll()) await one.close();
    const [first, ...others] = await dialAll();
    // What was noted while all these dialled is forgotten.
    await small.setBehind(-60_000);
    expect(await refused()).toMatch(/^overloaded/);
    await first?.close();
    expect(await refused()).toMatch(/^overloaded/);
    await small.setBehind(-120_000);
    const back = new RawSubscriber(url);

    expect(await back.verdict()).toEqual({ position: "-", head: "e.0:0" });
    for (const one of [back, ...others]) await one.close();
  } finally {
    source.cut();
    await small.close();
  }
}, 240_000);
