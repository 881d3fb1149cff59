/** Revocations that outlive crashes, and reach shards that lacked them, in the real runtime. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { shardOf } from "../../shared/protocol/address.ts";
import { Administrator, codeOf } from "../support/administrator.ts";
import { startEdge } from "../support/edge-harness.ts";
import { LONG } from "../support/long.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import {
  closed,
  isClosed,
  newPaths,
  newSubject,
  now,
  REVOKED,
  revokingEdge,
} from "../support/revoking-edge.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

const CROWD = LONG ? 1_000 : 400;

const world = revokingEdge();
let subject: string;

beforeEach(() => {
  subject = newSubject();
});

describe("[A9] [L10] a revocation that was answered is never lost", () => {
  test(`by shards that crash before their links are there again, with ${CROWD} sockets on both, half of their objects asleep`, async () => {
    const paths = Array.from({ length: 10 }, newPaths).flat();
    const token = await tokenOf({ subject });
    const hers: RawSubscriber[] = [];
    for (const path of paths) {
      const each = Array.from({ length: CROWD / paths.length }, () => world.subscribe(path, token));
      hers.push(...(await Promise.all(each)));
    }
    const anyone = await Promise.all(paths.map((path) => world.subscribe(path)));
    for (const path of paths.slice(0, paths.length / 2)) await world.edge.evict(path);

    await Promise.all([world.edge.crashShard(0), world.edge.crashShard(1)]);
    expect((await world.admin.revoke({ subject })).status).toBe(200);
    await Promise.all([world.edge.crashShard(0), world.edge.crashShard(1)]);

    expect(await closed(...hers)).toEqual(Array(CROWD).fill(REVOKED));
    expect(anyone.filter(isClosed)).toEqual([]);
    await world.origin.connect();
    for (const path of paths) expect((await world.get(path, token)).code).toBe("revoked");
    const { revocations } = (await world.admin.list()).body as { revocations: object[] };
    expect(revocations.length).toBeGreaterThan(0);
    for (const socket of anyone) await socket.close();
  }, 120_000);

  test("by a shard that couldn't store it: that is said, and repeated it is", async () => {
    const paths = newPaths();
    const token = await tokenOf({ subject });
    for (const path of paths) world.origin.append(path, 1);
    await world.edge.failRevocation(1);

    const first = await world.admin.revoke({ subject });
    expect(first).toMatchObject({ status: 202, body: { missing: [1] } });
    const listed = (await world.admin.list()).body.revocations as { id: string; missing?: number[] }[];
    expect(listed.find(({ id }) => id === first.body.id)).toMatchObject({ missing: [1] });
    expect((await world.get(paths[0], token)).code).toBe("revoked");
    const again = await world.admin.revoke({ id: first.body.id, subject });

    expect(again).toMatchObject({ status: 200, body: { id: first.body.id } });
    for (const path of paths) expect((await world.get(path, token)).code).toBe("revoked");
  });
});

test("[A9] one for which a shard has no room is told by its id, and what it is missing at and why; the others keep it", async () => {
  const token = await tokenOf({ subject });
  const paths = newPaths();
  for (const path of paths) world.origin.append(path, 1);
  await world.edge.failRevocation(1, "full");

  const { status, body } = await world.admin.revoke({ subject });

  expect({ status, body }).toMatchObject({
    status: 202,
    body: { id: expect.any(String), missing: [1], full: [1] },
  });
  expect(await Promise.all(paths.map(async (path) => (await world.get(path, token)).status))).toEqual([
    401, 200,
  ]);
  const again = await world.admin.revoke({ subject, id: body.id });
  expect([again.status, again.body.full]).toEqual([200, undefined]);
  expect((await world.get(paths[1], token)).code).toBe("revoked");
  expect((await world.admin.lift(body.id)).status).toBe(200);

  for (const shard of [0, 1]) await world.edge.failRevocation(shard, "full");
  const nowhere = await world.admin.revoke({ subject });
  expect([nowhere.status, codeOf(nowhere)]).toEqual([503, "overloaded"]);
  expect((await world.get(paths[0], token)).status).toBe(200);
});

test("[A9] a shard that lacks some learns them from the first one when it begins, as a new one must", async () => {
  const [, path] = newPaths();
  world.origin.append(path, 1);
  const token = await tokenOf({ subject });
  const hers = await world.subscribe(path, token);
  await world.edge.failRevocation(1);
  expect((await world.admin.revoke({ subject })).body.missing).toEqual([1]);
  expect((await world.get(path, token)).status).toBe(200);

  await world.edge.crashShard(1);

  expect((await world.get(path, token)).code).toBe("revoked");
  expect(await closed(hers)).toEqual([REVOKED]);
  await world.origin.connect();
});

test("[A9] a new shard that can't learn what was revoked lets nobody in, until it can", async () => {
  const lone = await startEdge({ AUTH_ISSUERS });
  const lonely = new ScriptedOrigin({ url: lone.url });
  try {
    const [, path] = newPaths();
    const token = await tokenOf({ subject });
    const ask = async () => {
      const answer = await fetch(`${lone.url}${path}`, { headers: { Authorization: `Bearer ${token}` } });
      return ((await answer.json()) as { error: { code: string } }).error.code;
    };
    await lone.tellNothing(true);
    const theAdmin = new Administrator(lone.url, await tokenOf({ subject: "the-admin", admin: true }));
    expect(await theAdmin.revoke({ subject })).toMatchObject({ status: 202, body: { missing: [1] } });
    expect(await ask()).toBe("internal");

    await lone.tellNothing(false);

    expect(await ask()).toBe("revoked");
    await lonely.connect();
  } finally {
    lonely.cut();
    await lone.close();
  }
});

test("[A9] a shard that was left out for a while lets nobody in until it knows what was revoked and lifted meanwhile", async () => {
  const SHARDS = 3;
  const lone = await startEdge({ AUTH_ISSUERS, SHARDS: String(SHARDS) });
  const lonely = new ScriptedOrigin({ url: lone.url, shards: SHARDS });
  try {
    const deploy = async (count: number) => {
      lonely.cut();
      await lone.setShards(count);
      for (let shard = 0; shard < SHARDS; shard++) await lone.crashShard(shard);
    };
    const last = SHARDS - 1;
    let path = "";
    for (let i = 0; path === "" || shardOf(path, SHARDS) !== last; i++) path = `/quotes/left-out-${i}`;
    lonely.append(path, 1);
    await lonely.connect();
    const [hers, theirs] = [await tokenOf({ subject }), await tokenOf({ subject: `${subject}-other` })];
    const ask = async (token: string) => {
      const answer = await fetch(`${lone.url}${path}`, { headers: { Authorization: `Bearer ${token}` } });
      const body = (await answer.json()) as number | { error: { code: string } };
      return typeof body === "number" ? body : body.error.code;
    };
    const theAdmin = new Administrator(lone.url, await tokenOf({ subject: "the-admin", admin: true }));
    const { status, body } = await theAdmin.revoke({ subject });
    expect(status).toBe(200);
    expect([await ask(hers), await ask(theirs)]).toEqual(["revoked", 1]);

    await deploy(1);
    expect((await theAdmin.lift(body.id)).status).toBe(200);
    expect((await theAdmin.revoke({ subject: `${subject}-other` })).status).toBe(200);
    await vi.waitFor(() => expect(lone.logs().join()).toContain("shards 1, 2 are left out"), {
      timeout: 20_000,
    });
    await deploy(SHARDS);
    await lone.tellNothing(true);
    expect(await ask(theirs)).toBe("internal");
    await lone.tellNothing(false);
    await lonely.connect();

    expect(await ask(theirs)).toBe("revoked");
    expect(await ask(hers)).toBe(1);
  } finally {
    lonely.cut();
    await lone.close();
  }
}, 60_000);

describe("[A9] one that has lapsed", () => {
  test("is gone from the list and from the rows, and the token counts again", async () => {
    const [path] = newPaths();
    world.origin.append(path, 1);
    const token = await tokenOf({ subject });
    const until = now() + 5;
    const { body } = await world.admin.revoke({ subject, until });
    expect((await world.get(path, token)).code).toBe("revoked");

    await expect
      .poll(() => world.get(path, token), { timeout: 20_000 })
      .toEqual({ status: 200, code: undefined });

    expect(Date.now()).toBeGreaterThanOrEqual(until * 1_000);
    const { revocations } = (await world.admin.list()).body as { revocations: { id: string }[] };
    expect(revocations.map(({ id }) => id)).not.toContain(body.id);
    expect((await world.admin.lift(body.id)).status).toBe(404);
  });
});
