/** Tokens that are revoked, in the real runtime: sockets that are open, asleep or opening, and GETs. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { subscribe as subscribeByClient } from "../../shared/client/client.ts";
import { shardOf } from "../../shared/protocol/address.ts";
import { Administrator, codeOf } from "../support/administrator.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { LONG } from "../support/long.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, ISSUER, tokenOf } from "../support/tokens.ts";

const OTHER_ISSUER = "https://other.example";
const CROWD = LONG ? 1_000 : 400;
const REVOKED = { code: 4519, reason: expect.stringMatching(/^revoked/) };
let edge: TestEdge;
let origin: ScriptedOrigin;
let admin: Administrator;
let keys = 0;
/** New for each test, so that no revocation of another one means it. */
let subject: string;

beforeAll(async () => {
  const [issuer] = JSON.parse(AUTH_ISSUERS) as object[];
  const issuers = [issuer, { ...issuer, issuer: OTHER_ISSUER }];
  edge = await startEdge({ AUTH_ISSUERS: JSON.stringify(issuers), AUTH_COOKIE: "token" });
  origin = await new ScriptedOrigin({ url: edge.url }).connect();
  admin = new Administrator(edge.url, await tokenOf({ subject: "the-admin", admin: true, id: "admin-1" }));
}, 60_000);
beforeEach(() => {
  subject = `subject-${++keys}`;
});
afterAll(async () => {
  origin.cut();
  await edge.close();
});

/** Two paths, one of each shard. */
function newPaths(): [string, string] {
  const found: string[] = [];
  for (let shard = 0; shard < 2; shard++)
    for (let path = ""; found.length === shard; ) {
      path = `/quotes/key-${++keys}`;
      if (shardOf(path, 2) === shard) found.push(path);
    }
  return found as [string, string];
}

function dial(path: string, token?: string): RawSubscriber {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const subscriber = new RawSubscriber(`${edge.wsUrl}${path}`, headers);
  // As S11 says: a close is heard at once then.
  subscriber.socket.on("open", () => subscriber.send('{"ping":1}'));
  return subscriber;
}

/** A live subscriber. */
async function subscribe(path: string, token?: string): Promise<RawSubscriber> {
  const subscriber = dial(path, token);
  await subscriber.verdict();
  await subscriber.until(({ others }) => others.length > 0, "a pong");
  subscriber.others.length = 0;
  return subscriber;
}

async function get(path: string, token?: string): Promise<{ status: number; code: string | undefined }> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${edge.url}${path}`, { headers });
  const body = await answer.text();
  const code = answer.ok ? undefined : (JSON.parse(body) as { error: { code: string } }).error.code;
  return { status: answer.status, code };
}

const isClosed = ({ closed }: RawSubscriber) => closed !== undefined;
const closed = (...sockets: RawSubscriber[]) =>
  Promise.all(sockets.map((socket) => socket.until(isClosed, "a close").then(() => socket.closed)));
const now = () => Math.floor(Date.now() / 1_000);

describe("[T7] [L11] a revocation closes sockets that are open and asleep, and refuses the next GET", () => {
  test.each<[string, () => object, boolean]>([
    ["of a token", () => ({ tokenId: `${subject}-1` }), false],
    ["of a subject", () => ({ subject }), true],
    [
      "of a subject's tokens that were issued before a time",
      () => ({ subject, issuedBefore: now() + 1 }),
      true,
    ],
  ])("%s, and those of nobody else", async (_, body, meansBoth) => {
    const paths = newPaths();
    const [one, two] = [
      await tokenOf({ subject, id: `${subject}-1` }),
      await tokenOf({ subject, id: `${subject}-2` }),
    ];
    const others = [
      await tokenOf({ subject: `${subject}0` }),
      await tokenOf({ subject, issuer: OTHER_ISSUER, id: `${subject}-1` }),
    ];
    for (const path of paths) origin.append(path, "before");
    const hers = await Promise.all(paths.map((path) => subscribe(path, one)));
    const seconds = await Promise.all(paths.map((path) => subscribe(path, two)));
    const theirs = await Promise.all([...others, undefined].map((token) => subscribe(paths[0], token)));
    await edge.evict(paths[0]);

    const told = await admin.revoke(body());

    expect(told).toMatchObject({ status: 200, body: { id: expect.any(String), graceSeconds: 0 } });
    expect(await closed(...hers)).toEqual([REVOKED, REVOKED]);
    for (const path of paths) {
      expect(await get(path, one)).toEqual({ status: 401, code: "revoked" });
      expect(await get(path, two)).toEqual(
        meansBoth ? { status: 401, code: "revoked" } : { status: 200, code: undefined },
      );
      for (const token of [...others, undefined]) expect((await get(path, token)).status).toBe(200);
    }
    expect(await get("/$/streams", one)).toEqual({ status: 401, code: "revoked" });
    if (meansBoth) expect(await closed(...seconds)).toEqual([REVOKED, REVOKED]);
    const back = dial(paths[0], one);
    expect(await closed(back)).toEqual([REVOKED]);
    expect(back.verdicts).toEqual([]);
    origin.append(paths[0], "after");
    for (const socket of theirs) await socket.until(({ updates }) => updates.length > 1, "an update");
    for (const socket of hers)
      expect(socket.updates.map(({ value }) => String(value))).not.toContain('"after"');
    for (const socket of [...theirs, ...seconds]) await socket.close();
  });

  test("of all that an issuer issued before a time", async () => {
    const paths = newPaths();
    const before = await tokenOf({ subject, issuer: OTHER_ISSUER, from: -100 });
    const [after, ours] = [
      await tokenOf({ subject, issuer: OTHER_ISSUER }),
      await tokenOf({ subject, from: -100 }),
    ];
    const theAdmin = new Administrator(
      edge.url,
      await tokenOf({ subject: "their-admin", issuer: OTHER_ISSUER, admin: true }),
    );
    const sockets = await Promise.all(paths.map((path) => subscribe(path, before)));
    const stay = await Promise.all([after, ours].map((token) => subscribe(paths[0], token)));
    await edge.evict(paths[1]);

    expect((await theAdmin.revoke({ issuedBefore: now() - 50 })).status).toBe(200);

    expect(await closed(...sockets)).toEqual([REVOKED, REVOKED]);
    expect((await get(paths[0], before)).code).toBe("revoked");
    for (const token of [after, ours]) expect((await get(paths[0], token)).code).not.toBe("revoked");
    origin.append(paths[0], 1);
    for (const socket of stay) await socket.until(({ updates }) => updates.length > 0, "an update");
    for (const socket of stay) await socket.close();
  });

  test("a subject's new token, issued after that, passes", async () => {
    const [path] = newPaths();
    origin.append(path, 1);
    const old = await tokenOf({ subject, from: -10 });
    await admin.revoke({ subject, issuedBefore: now() });
    expect((await get(path, old)).code).toBe("revoked");

    const fresh = await tokenOf({ subject, from: 1 });

    expect((await get(path, fresh)).status).toBe(200);
    await (await subscribe(path, fresh)).close();
  });

  test("of an object that sleeps until then: the update that comes right after is sent to others only", async () => {
    const created = async () => Number((await edge.operations())["object_created.endpoint"]);
    const [path] = newPaths();
    const hers = await subscribe(path, await tokenOf({ subject }));
    const anyone = await subscribe(path);
    await edge.evict(path);
    const before = await created();

    // Nothing is awaited in between but the answer: of the two frames the revocation is the one that wakes it.
    await admin.revoke({ subject });
    origin.append(path, "after");

    await anyone.until(({ updates }) => updates.length > 0, "an update");
    expect(await closed(hers)).toEqual([REVOKED]);
    expect(hers.updates).toEqual([]);
    // It was asleep: this woke it, once.
    expect(await created()).toBe(before + 1);
    await anyone.close();
  });

  test("sockets that are just opening, whatever comes first: none stays", async () => {
    const paths = newPaths();
    const token = await tokenOf({ subject });
    for (const path of paths) origin.append(path, "before");
    const early = Array.from({ length: 30 }, (_, i) => dial(paths[i % 2] ?? "", token));
    const revoked = admin.revoke({ subject });
    const late = Array.from({ length: 30 }, (_, i) => dial(paths[i % 2] ?? "", token));
    await revoked;
    const after = Array.from({ length: 10 }, (_, i) => dial(paths[i % 2] ?? "", token));

    expect(await closed(...early, ...late, ...after)).toEqual(Array(70).fill(REVOKED));
  });

  test("1,000 sockets on both shards, half of their objects asleep", async () => {
    const token = await tokenOf({ subject });
    const paths = Array.from({ length: 10 }, newPaths).flat();
    const sockets: RawSubscriber[] = [];
    for (const path of paths)
      sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => subscribe(path, token)))));
    const anyone = await Promise.all(paths.map((path) => subscribe(path)));
    for (const path of paths.slice(0, 10)) await edge.evict(path);
    const begun = performance.now();
    const at: number[] = [];
    for (const { socket } of sockets) socket.on("close", () => at.push(performance.now() - begun));

    const { status } = await admin.revoke({ subject });

    expect(status).toBe(200);
    expect(await closed(...sockets)).toEqual(Array(1_000).fill(REVOKED));
    expect(anyone.filter(isClosed)).toEqual([]);
    at.sort((a, b) => a - b);
    console.log(
      `1,000 sockets were closed within ${at[499]?.toFixed(0)} ms (p50), ${at[989]?.toFixed(0)} ms (p99)`,
    );
    for (const socket of anyone) await socket.close();
  }, 120_000);
});

describe("[A9] [L10] a revocation that was answered is never lost", () => {
  test(`by shards that crash before their links are there again, with ${CROWD} sockets on both, half of their objects asleep`, async () => {
    const paths = Array.from({ length: 10 }, newPaths).flat();
    const token = await tokenOf({ subject });
    const hers: RawSubscriber[] = [];
    for (const path of paths) {
      const each = Array.from({ length: CROWD / paths.length }, () => subscribe(path, token));
      hers.push(...(await Promise.all(each)));
    }
    const anyone = await Promise.all(paths.map((path) => subscribe(path)));
    for (const path of paths.slice(0, paths.length / 2)) await edge.evict(path);

    await Promise.all([edge.crashShard(0), edge.crashShard(1)]);
    expect((await admin.revoke({ subject })).status).toBe(200);
    await Promise.all([edge.crashShard(0), edge.crashShard(1)]);

    expect(await closed(...hers)).toEqual(Array(CROWD).fill(REVOKED));
    expect(anyone.filter(isClosed)).toEqual([]);
    await origin.connect();
    for (const path of paths) expect((await get(path, token)).code).toBe("revoked");
    const { revocations } = (await admin.list()).body as { revocations: object[] };
    expect(revocations.length).toBeGreaterThan(0);
    for (const socket of anyone) await socket.close();
  }, 120_000);

  test("by a shard that couldn't store it: that is said, and repeated it is", async () => {
    const paths = newPaths();
    const token = await tokenOf({ subject });
    for (const path of paths) origin.append(path, 1);
    await edge.failRevocation(1);

    const first = await admin.revoke({ subject });
    expect(first).toMatchObject({ status: 202, body: { missing: [1] } });
    const listed = (await admin.list()).body.revocations as { id: string; missing?: number[] }[];
    expect(listed.find(({ id }) => id === first.body.id)).toMatchObject({ missing: [1] });
    expect((await get(paths[0], token)).code).toBe("revoked");
    const again = await admin.revoke({ id: first.body.id, subject });

    expect(again).toMatchObject({ status: 200, body: { id: first.body.id } });
    for (const path of paths) expect((await get(path, token)).code).toBe("revoked");
  });
});

test("[A9] one for which a shard has no room is told by its id, and what it is missing at and why; the others keep it", async () => {
  const token = await tokenOf({ subject });
  const paths = newPaths();
  for (const path of paths) origin.append(path, 1);
  await edge.failRevocation(1, "full");

  const { status, body } = await admin.revoke({ subject });

  expect({ status, body }).toMatchObject({
    status: 202,
    body: { id: expect.any(String), missing: [1], full: [1] },
  });
  expect(await Promise.all(paths.map(async (path) => (await get(path, token)).status))).toEqual([401, 200]);
  const again = await admin.revoke({ subject, id: body.id });
  expect([again.status, again.body.full]).toEqual([200, undefined]);
  expect((await get(paths[1], token)).code).toBe("revoked");
  expect((await admin.lift(body.id)).status).toBe(200);

  for (const shard of [0, 1]) await edge.failRevocation(shard, "full");
  const nowhere = await admin.revoke({ subject });
  expect([nowhere.status, codeOf(nowhere)]).toEqual([503, "overloaded"]);
  expect((await get(paths[0], token)).status).toBe(200);
});

test("[A9] a shard that lacks some learns them from the first one when it begins, as a new one must", async () => {
  const [, path] = newPaths();
  origin.append(path, 1);
  const token = await tokenOf({ subject });
  const hers = await subscribe(path, token);
  await edge.failRevocation(1);
  expect((await admin.revoke({ subject })).body.missing).toEqual([1]);
  expect((await get(path, token)).status).toBe(200);

  await edge.crashShard(1);

  expect((await get(path, token)).code).toBe("revoked");
  expect(await closed(hers)).toEqual([REVOKED]);
  await origin.connect();
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

describe("[S25] with a margin", () => {
  test("sockets are told, may renew, awake or asleep, and are closed if they don't; GETs are refused at once", async () => {
    const [path] = newPaths();
    origin.append(path, 1);
    const token = await tokenOf({ subject, from: -10 });
    const [renews, stays] = [await subscribe(path, token), await subscribe(path, token)];
    await admin.revoke({ subject, issuedBefore: now(), graceSeconds: 4 });
    for (const socket of [renews, stays])
      await socket.until(({ others }) => others.some((frame) => "expires" in frame), "the notice");
    expect((await get(path, token)).code).toBe("revoked");
    expect(await closed(dial(path, token))).toEqual([REVOKED]);

    renews.send({ id: 1, token });
    renews.send({ id: 2, token });
    await renews.until(({ others }) => others.some(({ id }) => id === 1), "an answer");
    renews.send({ id: 3, token: await tokenOf({ subject, from: 1 }) });
    await renews.until(({ others }) => others.some(({ id }) => id === 3), "an answer");
    await edge.evict(path);

    expect(await closed(stays)).toEqual([REVOKED]);
    const answers = renews.others.filter(({ id }) => id !== undefined);
    expect(answers.find(({ id }) => id === 1)).toMatchObject({ error: { code: "revoked" } });
    expect(answers.find(({ id }) => id === 3)).toMatchObject({ ok: { expires: expect.any(Number) } });
    origin.append(path, 2);
    await renews.until(({ updates }) => updates.length > 1, "an update");
    expect(renews.closed).toBeUndefined();
    await renews.close();
  });

  test("[L11] one that is lifted in time closes nobody, and the token counts again", async () => {
    const [path] = newPaths();
    origin.append(path, 1);
    const token = await tokenOf({ subject });
    const hers = await subscribe(path, token);
    const { body } = await admin.revoke({ subject, graceSeconds: 3 });
    await hers.until(({ others }) => others.length > 0, "the notice");
    await edge.evict(path);

    expect((await admin.lift(body.id)).status).toBe(200);

    expect((await get(path, token)).status).toBe(200);
    // Another one's margin that ends later shows that hers has passed.
    const other = await tokenOf({ subject: `${subject}-other` });
    const theirs = await subscribe(path, other);
    await admin.revoke({ subject: `${subject}-other`, graceSeconds: 4 });
    expect(await closed(theirs)).toEqual([REVOKED]);
    origin.append(path, 2);
    await hers.until(({ updates }) => updates.length > 1, "an update");
    expect(hers.closed).toBeUndefined();
    await hers.close();
  });
});

describe("the product's own client, whose source has another token", () => {
  test.each<[string, number, readonly string[]]>([
    ["[S22] [S25] with a margin renews on its socket, and nobody notices", 10, ["connecting", "open"]],
    [
      "[S23] [T7] without one comes back from its position with that",
      0,
      ["connecting", "open", "connecting", "open"],
    ],
  ])("%s", async (_, graceSeconds, states) => {
    const [path] = newPaths();
    origin.append(path, 1);
    let given = 0;
    const told: string[] = [];
    const values: string[] = [];
    const followed = subscribeByClient(`${edge.url}${path}`, {
      token: () => tokenOf({ subject, id: `${subject}-${++given}` }),
    });
    try {
      followed.on("connection", ({ state }) => state !== "backingOff" && told.push(state));
      followed.on("error", ({ code }) => told.push(code));
      followed.on("gap", () => told.push("gap"));
      followed.on("update", (update) => values.push(update.text() ?? ""));
      await vi.waitFor(() => expect(values).toEqual(["1"]), { timeout: 20_000 });

      await admin.revoke({ tokenId: `${subject}-1`, graceSeconds });
      await vi.waitFor(() => expect(given).toBe(2), { timeout: 20_000 });
      origin.append(path, 2);
      await vi.waitFor(() => expect(values).toEqual(["1", "2"]), { timeout: 20_000 });
      await vi.waitFor(() => expect(told).toEqual(states), { timeout: 20_000 });
    } finally {
      followed.close();
    }
  });
});

describe("[A9] one that has lapsed", () => {
  test("is gone from the list and from the rows, and the token counts again", async () => {
    const [path] = newPaths();
    origin.append(path, 1);
    const token = await tokenOf({ subject });
    const until = now() + 2;
    const { body } = await admin.revoke({ subject, until });
    expect((await get(path, token)).code).toBe("revoked");

    await expect.poll(() => get(path, token), { timeout: 20_000 }).toEqual({ status: 200, code: undefined });

    expect(Date.now()).toBeGreaterThanOrEqual(until * 1_000);
    const { revocations } = (await admin.list()).body as { revocations: { id: string }[] };
    expect(revocations.map(({ id }) => id)).not.toContain(body.id);
    expect((await admin.lift(body.id)).status).toBe(404);
  });
});

describe("[A9] nobody revokes, lists or lifts", () => {
  test.each<[string, () => Promise<string | undefined>, number, string]>([
    ["without a token", async () => undefined, 401, "no_token"],
    ["without the claim admin", () => tokenOf({ subscribe: ["/*"] }), 403, "forbidden"],
    [
      "by an issuer that isn't trusted",
      () => tokenOf({ admin: true, issuer: "https://stranger" }),
      401,
      "unknown_signer",
    ],
    ["by a token that has ended", () => tokenOf({ admin: true, until: -60 }), 401, "expired"],
    ["by a token that is none", async () => "a.b.c", 401, "invalid_token"],
  ])("%s", async (_, make, status, code) => {
    const nobody = new Administrator(edge.url, await make());
    for (const told of [await nobody.revoke({ subject }), await nobody.list(), await nobody.lift("x")]) {
      expect([told.status, codeOf(told)]).toEqual([status, code]);
      expect(told.headers.get("Cache-Control")).toContain("no-store");
    }
  });

  test("by a token that was revoked itself", async () => {
    const theirs = new Administrator(edge.url, await tokenOf({ subject, admin: true }));
    expect((await theirs.revoke({ subject })).status).toBe(200);

    for (const told of [await theirs.revoke({ subject: "x" }), await theirs.list(), await theirs.lift("x")])
      expect([told.status, codeOf(told)]).toEqual([401, "revoked"]);
  });

  test("by a cookie", async () => {
    const headers = { Cookie: `token=${await tokenOf({ admin: true })}` };
    for (const method of ["GET", "POST"]) {
      const body = method === "POST" ? JSON.stringify({ subject }) : null;
      const answer = await fetch(`${edge.url}/$/revocations`, { method, headers, body });
      expect(answer.status).toBe(401);
    }
  });

  test("what is another issuer's", async () => {
    const other = new Administrator(edge.url, await tokenOf({ subject, issuer: OTHER_ISSUER, admin: true }));
    const { body } = await admin.revoke({ subject, id: `${subject}-x` });
    expect((await other.list()).body.revocations).not.toContainEqual(
      expect.objectContaining({ id: body.id }),
    );
    expect((await other.lift(body.id)).status).toBe(404);
    // An id is each issuer's own.
    expect((await other.revoke({ subject: "x", id: body.id })).status).toBe(200);
    expect((await other.lift(body.id)).status).toBe(200);

    const { revocations } = (await admin.list()).body as { revocations: { id: string }[] };
    expect(revocations.map(({ id }) => id)).toContain(body.id);
  });
});

describe("[A9] [C5] what is asked wrongly", () => {
  test.each<[string, string]>([
    ["no JSON", "secret"],
    ["nothing", ""],
    ["nobody in particular", "{}"],
    ["another issuer's tokens", `{"issuer":"${ISSUER}","subject":"secret"}`],
    ["everything that will be issued", `{"issuedBefore":${now() + 10_000}}`],
    ["too much", `{"subject":"${"a".repeat(5_000)}"}`],
    ["too much, without an end that is worth waiting for", "a".repeat(2_000_000)],
  ])("%s is a bad request, in words, and not repeated", async (_, body) => {
    const told = await admin.revoke(body);
    expect([told.status, codeOf(told)]).toEqual([400, "bad_request"]);
    expect(JSON.stringify(told.body)).not.toContain("secret");
  });

  test("other methods and paths have their answers", async () => {
    const headers = { Authorization: `Bearer ${await tokenOf({ admin: true })}` };
    const asked = async (method: string, path: string) => {
      const answer = await fetch(`${edge.url}/$/revocations${path}`, { method, headers });
      return [answer.status, answer.headers.get("Allow")];
    };
    expect(await asked("PUT", "")).toEqual([405, "GET, HEAD, POST"]);
    expect(await asked("DELETE", "")).toEqual([405, "GET, HEAD, POST"]);
    expect(await asked("GET", "/an-id")).toEqual([405, "DELETE"]);
    expect((await asked("GET", "/an/id"))[0]).toBe(404);
    expect(await asked("POST", "/an/id")).toEqual([405, "GET, HEAD"]);
    expect((await asked("HEAD", ""))[0]).toBe(200);
  });

  test("an edge without issuers has nothing to revoke", async () => {
    const lone = await startEdge();
    try {
      const told = await new Administrator(lone.url, await tokenOf({ admin: true })).revoke({ subject });
      expect([told.status, codeOf(told)]).toEqual([404, "not_found"]);
    } finally {
      await lone.close();
    }
  });
});

test("[A9] no name stands in the answers, the list, the log or what sockets keep, and no token or part of one", async () => {
  const [path] = newPaths();
  const id = `${subject}-id`;
  const token = await tokenOf({ subject, id });
  const hers = await subscribe(path, token);
  const told = [
    await admin.revoke({ subject, graceSeconds: 30 }),
    await admin.revoke({ tokenId: id, graceSeconds: 30 }),
  ];
  await hers.until(({ others }) => others.length > 0, "the notice");
  const all = JSON.stringify([told, await admin.list(), edge.logs(), await edge.attachments(path)]);

  for (const part of [subject, id, ...token.split(".")]) expect(all).not.toContain(part);
  expect(told.map(({ status }) => status)).toEqual([200, 200]);
  await hers.close();
});

test("[T7] health tells how many each shard has", async () => {
  const health = (await (await fetch(`${edge.url}/$/health`)).json()) as {
    shards: { revocations: number }[];
  };
  const before = health.shards.map(({ revocations }) => revocations);
  await admin.revoke({ subject });

  const after = (await (await fetch(`${edge.url}/$/health`)).json()) as typeof health;
  expect(after.shards.map(({ revocations }) => revocations)).toEqual(before.map((count) => count + 1));
});
