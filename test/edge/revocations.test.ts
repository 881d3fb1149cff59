/** Tokens that are revoked, in the real runtime: sockets that are open, asleep or opening, and GETs. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { subscribe as subscribeByClient } from "../../shared/client/client.ts";
import { Administrator } from "../support/administrator.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";
import {
  closed,
  isClosed,
  newPaths,
  newSubject,
  now,
  OTHER_ISSUER,
  REVOKED,
  revokingEdge,
} from "../support/revoking-edge.ts";
import { tokenOf } from "../support/tokens.ts";

const world = revokingEdge();
let subject: string;

beforeEach(() => {
  subject = newSubject();
});

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
    for (const path of paths) world.origin.append(path, "before");
    const hers = await Promise.all(paths.map((path) => world.subscribe(path, one)));
    const seconds = await Promise.all(paths.map((path) => world.subscribe(path, two)));
    const theirs = await Promise.all([...others, undefined].map((token) => world.subscribe(paths[0], token)));
    await world.edge.evict(paths[0]);

    const told = await world.admin.revoke(body());

    expect(told).toMatchObject({ status: 200, body: { id: expect.any(String), graceSeconds: 0 } });
    expect(await closed(...hers)).toEqual([REVOKED, REVOKED]);
    for (const path of paths) {
      expect(await world.get(path, one)).toEqual({ status: 401, code: "revoked" });
      expect(await world.get(path, two)).toEqual(
        meansBoth ? { status: 401, code: "revoked" } : { status: 200, code: undefined },
      );
      for (const token of [...others, undefined]) expect((await world.get(path, token)).status).toBe(200);
    }
    expect(await world.get("/$/streams", one)).toEqual({ status: 401, code: "revoked" });
    if (meansBoth) expect(await closed(...seconds)).toEqual([REVOKED, REVOKED]);
    const back = world.dial(paths[0], one);
    expect(await closed(back)).toEqual([REVOKED]);
    expect(back.verdicts).toEqual([]);
    world.origin.append(paths[0], "after");
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
      world.edge.url,
      await tokenOf({ subject: "their-admin", issuer: OTHER_ISSUER, admin: true }),
    );
    const sockets = await Promise.all(paths.map((path) => world.subscribe(path, before)));
    const stay = await Promise.all([after, ours].map((token) => world.subscribe(paths[0], token)));
    await world.edge.evict(paths[1]);

    expect((await theAdmin.revoke({ issuedBefore: now() - 50 })).status).toBe(200);

    expect(await closed(...sockets)).toEqual([REVOKED, REVOKED]);
    expect((await world.get(paths[0], before)).code).toBe("revoked");
    for (const token of [after, ours]) expect((await world.get(paths[0], token)).code).not.toBe("revoked");
    world.origin.append(paths[0], 1);
    for (const socket of stay) await socket.until(({ updates }) => updates.length > 0, "an update");
    for (const socket of stay) await socket.close();
  });

  test("a subject's new token, issued after that, passes", async () => {
    const [path] = newPaths();
    world.origin.append(path, 1);
    const old = await tokenOf({ subject, from: -10 });
    await world.admin.revoke({ subject, issuedBefore: now() });
    expect((await world.get(path, old)).code).toBe("revoked");

    const fresh = await tokenOf({ subject, from: 1 });

    expect((await world.get(path, fresh)).status).toBe(200);
    await (await world.subscribe(path, fresh)).close();
  });

  test("of an object that sleeps until then: the update that comes right after is sent to others only", async () => {
    const created = async () => Number((await world.edge.operations())["object_created.endpoint"]);
    const [path] = newPaths();
    const hers = await world.subscribe(path, await tokenOf({ subject }));
    const anyone = await world.subscribe(path);
    await world.edge.evict(path);
    const before = await created();

    // Nothing is awaited in between but the answer: of the two frames the revocation is the one that wakes it.
    await world.admin.revoke({ subject });
    world.origin.append(path, "after");

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
    for (const path of paths) world.origin.append(path, "before");
    const early = Array.from({ length: 30 }, (_, i) => world.dial(paths[i % 2] ?? "", token));
    const revoked = world.admin.revoke({ subject });
    const late = Array.from({ length: 30 }, (_, i) => world.dial(paths[i % 2] ?? "", token));
    await revoked;
    const after = Array.from({ length: 10 }, (_, i) => world.dial(paths[i % 2] ?? "", token));

    expect(await closed(...early, ...late, ...after)).toEqual(Array(70).fill(REVOKED));
  });

  test("1,000 sockets on both shards, half of their objects asleep", async () => {
    const token = await tokenOf({ subject });
    const paths = Array.from({ length: 10 }, newPaths).flat();
    const sockets: RawSubscriber[] = [];
    for (const path of paths)
      sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => world.subscribe(path, token)))));
    const anyone = await Promise.all(paths.map((path) => world.subscribe(path)));
    for (const path of paths.slice(0, 10)) await world.edge.evict(path);
    const begun = performance.now();
    const at: number[] = [];
    for (const { socket } of sockets) socket.on("close", () => at.push(performance.now() - begun));

    const { status } = await world.admin.revoke({ subject });

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

describe("[S25] with a margin", () => {
  test("sockets are told, may renew, awake or asleep, and are closed if they don't; GETs are refused at once", async () => {
    const [path] = newPaths();
    world.origin.append(path, 1);
    const token = await tokenOf({ subject, from: -10 });
    const [renews, stays] = [await world.subscribe(path, token), await world.subscribe(path, token)];
    await world.admin.revoke({ subject, issuedBefore: now(), graceSeconds: 6 });
    for (const socket of [renews, stays])
      await socket.until(({ others }) => others.some((frame) => "expires" in frame), "the notice");
    expect((await world.get(path, token)).code).toBe("revoked");
    expect(await closed(world.dial(path, token))).toEqual([REVOKED]);

    renews.send({ id: 1, token });
    renews.send({ id: 2, token });
    // While one is under way another is refused.
    for (const asked of [1, 2])
      await renews.until(({ others }) => others.some(({ id }) => id === asked), "an answer");
    renews.send({ id: 3, token: await tokenOf({ subject, from: 1 }) });
    await renews.until(({ others }) => others.some(({ id }) => id === 3), "an answer");
    await world.edge.evict(path);

    expect(await closed(stays)).toEqual([REVOKED]);
    const answers = renews.others.filter(({ id }) => id !== undefined);
    expect(answers.find(({ id }) => id === 1)).toMatchObject({ error: { code: "revoked" } });
    expect(answers.find(({ id }) => id === 3)).toMatchObject({ ok: { expires: expect.any(Number) } });
    world.origin.append(path, 2);
    await renews.until(({ updates }) => updates.length > 1, "an update");
    expect(renews.closed).toBeUndefined();
    await renews.close();
  });

  test("[L11] one that is lifted in time closes nobody, and the token counts again", async () => {
    const [path] = newPaths();
    world.origin.append(path, 1);
    const token = await tokenOf({ subject });
    const hers = await world.subscribe(path, token);
    const { body } = await world.admin.revoke({ subject, graceSeconds: 5 });
    await hers.until(({ others }) => others.length > 0, "the notice");
    await world.edge.evict(path);

    expect((await world.admin.lift(body.id)).status).toBe(200);

    expect((await world.get(path, token)).status).toBe(200);
    // Another one's margin that ends later shows that hers has passed.
    const other = await tokenOf({ subject: `${subject}-other` });
    const theirs = await world.subscribe(path, other);
    await world.admin.revoke({ subject: `${subject}-other`, graceSeconds: 6 });
    expect(await closed(theirs)).toEqual([REVOKED]);
    world.origin.append(path, 2);
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
    world.origin.append(path, 1);
    let given = 0;
    const told: string[] = [];
    const values: string[] = [];
    const followed = subscribeByClient(`${world.edge.url}${path}`, {
      token: () => tokenOf({ subject, id: `${subject}-${++given}` }),
    });
    try {
      followed.on("connection", ({ state }) => state !== "backingOff" && told.push(state));
      followed.on("error", ({ code }) => told.push(code));
      followed.on("gap", () => told.push("gap"));
      followed.on("update", (update) => values.push(update.text() ?? ""));
      await vi.waitFor(() => expect(values).toEqual(["1"]), { timeout: 20_000 });

      await world.admin.revoke({ tokenId: `${subject}-1`, graceSeconds });
      await vi.waitFor(() => expect(given).toBe(2), { timeout: 20_000 });
      world.origin.append(path, 2);
      await vi.waitFor(() => expect(values).toEqual(["1", "2"]), { timeout: 20_000 });
      await vi.waitFor(() => expect(told).toEqual(states), { timeout: 20_000 });
    } finally {
      followed.close();
    }
  });
});
