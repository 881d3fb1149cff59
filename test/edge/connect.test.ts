/** Many endpoints on one connection, in the real runtime. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;
let clients = 0;

beforeAll(async () => {
  edge = await startEdge({ AUTH_ISSUERS, RELAYS: "1", SUBSCRIPTIONS_PER_CONNECTION: "300" });
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

/** The relay of everybody here who says nothing else. */
const RELAY = "weur-0";
const newPath = () => `/quotes/many-${++keys}`;
const newPaths = (count: number) => Array.from({ length: count }, newPath);
const connect = (headers: Record<string, string> = {}) =>
  new RawConnection(`${edge.wsUrl}/$/connect?client=client-${++clients}`, headers).open();
const created = async () => Number((await edge.operations())["object_created.relay"]);

async function received(client: RawConnection, path: string, values: readonly unknown[]): Promise<void> {
  await client.until((one) => one.of(path).values.length >= values.length, `${values.length} of ${path}`);
  expect(client.of(path).values).toEqual(values);
  expect(client.violations).toEqual([]);
}

/** As long as the platform leaves an idle object in memory, which nobody tells of; then its memory goes. */
async function sleep(relay: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  await edge.evictRelay(relay);
}

describe("[M1] a connection", () => {
  test("[M1] [H9] says why it is refused, to a dial and to a GET", async () => {
    const bad = await connect({ Authorization: "Bearer nonsense" });
    await bad.until(({ closed }) => closed !== undefined, "a close");
    expect(bad.closed?.reason).toMatch(/^invalid_token/);
    const get = async (headers: Record<string, string>) => {
      const answer = await fetch(`${edge.url}/$/connect`, { headers });
      return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
    };
    expect(await get({})).toEqual([400, "bad_upgrade"]);
    expect(await get({ Authorization: "Bearer nonsense" })).toEqual([401, "invalid_token"]);
    const other = new RawSubscriber(`${edge.wsUrl}/$/other`);
    await other.until(({ closed }) => closed !== undefined, "a close");
    expect(other.closed?.reason).toMatch(/^bad_upgrade/);
  });

  test("[M1] [A10] clients of a region meet in one of its relays, those of another elsewhere", async () => {
    const before = await created();
    const far = await connect({ "Distributary-Region": "oc" });
    const [path] = newPaths(1);
    origin.append(path ?? "", 1);
    await far.answered(far.subscribe([path ?? ""]));
    await received(far, path ?? "", [1]);
    expect(await created()).toBeGreaterThan(before);
    far.close();
  });

  test("[H7] [V1] it speaks version 1, or is closed", async () => {
    const socket = new WebSocket(`${edge.wsUrl}/$/connect`, ["distributary.v9"]);
    const closed = new Promise<CloseEvent>((resolve) => {
      socket.onclose = resolve;
    });
    expect((await closed).reason).toMatch(/^unsupported_version/);
  });
});

describe("[M2] [M3] [M6] [L12] many endpoints", () => {
  test("[M3] [M6] [L12] a hundred of them, over all shards: a verdict each, all updates once, few messages", async () => {
    const paths = newPaths(100);
    for (const path of paths) origin.append(path, "first");
    const client = await connect();
    const ids = client.subscribe(paths);
    await client.answered(ids);
    await Promise.all(paths.map((path) => received(client, path, ["first"])));
    const before = client.messages;
    origin.appendBatch(
      paths,
      paths.map(() => "second"),
    );

    await Promise.all(paths.map((path) => received(client, path, ["first", "second"])));
    // One for each message of the origin at most, of which there is one to each shard.
    expect(client.messages - before).toBeLessThanOrEqual(4);
    expect(client.others).toEqual([]);
    client.close();
  });

  test("[M5] nothing about an endpoint follows the answer to its unsub, and it can be followed again", async () => {
    const [path = "", other = ""] = newPaths(2);
    const client = await connect();
    await client.answered(client.subscribe([path, other]));
    for (let i = 0; i < 20; i++) {
      origin.append(path, i);
      const unsubscribed = client.unsubscribe(path);
      origin.append(path, -1);
      await client.answered([unsubscribed]);
      await client.answered(client.subscribe([path]));
    }
    origin.append(other, "last");
    await client.until((one) => one.of(other).values.length === 1, "the last");

    expect(client.violations).toEqual([]);
    client.close();
  });

  test("[M10] [C5] one too many is refused by its id, and neighbours notice nothing", async () => {
    const [path = ""] = newPaths(1);
    const neighbour = await connect();
    await neighbour.answered(neighbour.subscribe([path]));
    const client = await connect();
    const ids = client.subscribe(newPaths(310));
    await client.answered(ids);

    const refused = ids.filter((id) => client.answers.get(id) === "too_many_subscriptions");
    expect(refused).toEqual(ids.slice(300));
    origin.append(path, "here");
    await received(neighbour, path, ["here"]);
    expect(neighbour.closed).toBeUndefined();
    client.close();
    neighbour.close();
  });
});

describe("[M9] by a token", () => {
  test("[M3] [M9] what can't be followed is refused path by path, and the token is renewed on the connection", async () => {
    const token = await tokenOf({ until: 3_000 });
    const client = await connect({ Authorization: `Bearer ${token}` });
    const [path = ""] = newPaths(1);
    const ids = client.subscribe([
      path,
      "/nowhere/x",
      "/quotes/%61",
      "/quotes",
      `/quotes/${"x".repeat(1_025)}`,
    ]);
    await client.answered(ids);
    expect(ids.slice(1).map((id) => client.answers.get(id))).toEqual([
      "unknown_topic",
      "bad_address",
      "not_found",
      "key_too_long",
    ]);
    client.send({ id: 1_000, token: await tokenOf({ until: 3_001 }) });
    await client.answered([1_000]);
    expect(client.answers.get(1_000)).toEqual({ expires: expect.any(Number) });
    expect(client.closed).toBeUndefined();
    client.close();
  });

  test("[S19] it is closed when its token ends, though nothing comes", async () => {
    const client = await connect({ Authorization: `Bearer ${await tokenOf({ until: 4 })}` });
    await client.answered(client.subscribe(newPaths(3)));
    await client.until(({ closed }) => closed !== undefined, "the end");

    expect(client.closed).toEqual({ code: 4515, reason: "expired" });
  }, 60_000);
});

describe("[L14] over a hibernation", () => {
  test("[L14] [S8] a relay that sleeps wakes for an update of any of its endpoints, and nothing is missing or doubled", async () => {
    const paths = newPaths(250);
    // One that nothing else can wake.
    const there = { "Distributary-Region": "sam" };
    const client = await connect(there);
    await client.answered(client.subscribe(paths));
    for (const path of paths) origin.append(path, "before");
    await Promise.all(paths.map((path) => received(client, path, ["before"])));
    const before = await created();
    await sleep("sam-0");
    client.send('{"ping":1}');
    await client.until(({ others }) => others.some((frame) => frame.pong === 1), "a pong");
    expect(await created()).toBe(before);

    const attaches = origin.attaches.length;
    for (const path of paths) origin.append(path, "after");
    await Promise.all(paths.map((path) => received(client, path, ["before", "after"])));
    expect(await created()).toBe(before + 1);
    expect(origin.attaches.length).toBe(attaches);
    const joined = await connect(there);
    await joined.answered(joined.subscribe(paths.slice(0, 5)));
    await Promise.all(paths.slice(0, 5).map((path) => received(joined, path, ["after"])));
    client.close();
    joined.close();
  }, 120_000);

  test("[M11] [S10] a relay that crashes closes its connections; who comes back by position misses nothing", async () => {
    const paths = newPaths(50);
    const client = await connect();
    await client.answered(client.subscribe(paths));
    for (const path of paths) origin.append(path, 1);
    await Promise.all(paths.map((path) => received(client, path, [1])));
    await edge.crashRelay(RELAY);
    await client.until(({ closed }) => closed !== undefined, "the close");
    for (const path of paths) origin.append(path, 2);

    const back = await connect();
    await back.answered(back.subscribe(paths, client.positions()));
    await Promise.all(paths.map((path) => received(back, path, [2])));
    for (const path of paths) expect(back.of(path).verdicts).toMatchObject([{ recovered: true }]);
    back.close();
  }, 60_000);

  test("[L1] [L7] a shard that crashes dials the relay again, and nobody misses anything", async () => {
    const paths = newPaths(50);
    const client = await connect();
    await client.answered(client.subscribe(paths));
    for (const path of paths) origin.append(path, 1);
    await Promise.all(paths.map((path) => received(client, path, [1])));
    await Promise.all([edge.crashShard(0), edge.crashShard(1)]);
    await eventually(
      () => origin.uplinks.every(({ closed }) => closed !== undefined),
      "the origin has noticed",
    );
    for (const path of paths) origin.append(path, 2);
    await origin.connect();

    await Promise.all(paths.map((path) => received(client, path, [1, 2])));
    expect(client.closed).toBeUndefined();
    client.close();
  }, 60_000);
});

test("[L5] [L13] when all have gone nothing is watched, and no link is left", async () => {
  const client = await connect();
  const [path = ""] = newPaths(1);
  await client.answered(client.subscribe([path]));
  client.close();

  await eventually(
    async () => {
      const { shards } = (await (await fetch(`${edge.url}/$/health`)).json()) as {
        shards: { watched: number; links: number }[];
      };
      return shards.every(({ watched, links }) => watched === 0 && links === 0);
    },
    "nothing is watched",
    90_000,
  );
}, 120_000);
