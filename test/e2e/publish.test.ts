/** Publishing through the edge to the embedded log, with two origins, whatever becomes of them. */
import { describe, expect, test } from "vitest";
import { shardOf } from "../../shared/protocol/address.ts";
import { Administrator } from "../support/administrator.ts";
import { publishWhile } from "../support/publish-while.ts";
import { receivedBy } from "../support/publishing-load.ts";
import { tokenOf } from "../support/tokens.ts";
import { twoOrigins } from "../support/two-origins.ts";

/** As wrangler.toml has it. */
const SHARDS = 2;

const world = twoOrigins({
  t: { partitions: 3, stream: { publish: "public" } },
  private: { stream: { subscribe: "token", publish: "token" } },
  read: {},
});

async function publish(path: string, init: RequestInit = {}, token?: string) {
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  const answer = await fetch(`${world.deployment.url}${path}`, { method: "POST", ...init, headers });
  const said = (await answer.json()) as { position?: string; error?: { code: string } };
  return { status: answer.status, position: said.position, code: said.error?.code };
}

/** Keys of both shards. */
const PATHS = ["/t/a", "/t/b", "/t/c", "/t/d", "/t/e", "/t/f", "/t/g", "/t/h"];

describe("what was published", () => {
  test("[W5] is what subscribers and GETs see, at the position of its acknowledgement, in both shards", async () => {
    expect(new Set(PATHS.map((path) => shardOf(path, SHARDS))).size).toBe(SHARDS);
    for (const path of PATHS) {
      const subscriber = world.deployment.subscribe(path);
      await subscriber.verdict();
      const { status, position } = await publish(path, { body: `{"of":"${path}"}` });

      expect(status).toBe(201);
      await subscriber.until(({ updates }) => updates.length > 0, "an update");
      expect(receivedBy(subscriber)).toEqual([{ position, value: `{"of":"${path}"}` }]);
      const got = await fetch(`${world.deployment.url}${path}`);
      expect([got.headers.get("ETag"), await got.text()]).toEqual([`"${position}"`, `{"of":"${path}"}`]);
      await subscriber.close();
    }
  });

  test("[W1] [W2] arrives byte for byte, with its headers and no other, and a DELETE as a tombstone", async () => {
    const subscriber = world.deployment.subscribe("/t/bytes");
    await subscriber.verdict();
    const bytes = Buffer.from([0, 255, 30, 10, 123]);
    await publish("/t/bytes", {
      body: bytes,
      headers: { "Distributary-Header-Trace": "x", "Distributary-Base64-Header-Raw": "/w==" },
    });
    await publish("/t/bytes", { method: "DELETE" });
    await subscriber.until(({ updates }) => updates.length === 2, "two updates");

    expect(subscriber.updates[0]?.value).toEqual(bytes);
    expect(subscriber.updates[0]?.h).toEqual([
      ["raw", "/w==", "base64"],
      ["trace", "x"],
    ]);
    expect(subscriber.updates[1]).toMatchObject({ value: null });
    expect(subscriber.updates[1]?.h ?? []).toEqual([]);
    await subscriber.close();
  });

  test("[W3] is done once for each key: again the same position, and nothing else by that name", async () => {
    const headers = { "Idempotency-Key": "once" };
    const first = await publish("/t/once", { body: "1", headers });
    const again = await publish("/t/once", { body: "1", headers });
    const other = await publish("/t/once", { body: "2", headers });
    const elsewhere = await publish("/t/twice", { body: "2", headers });

    expect(again).toEqual(first);
    expect([other.status, other.code]).toEqual([422, "id_reused"]);
    expect(elsewhere.status).toBe(201);
  });

  test("[W4] more than the topic takes is refused, and the next publish works", async () => {
    const large = await publish("/t/large", { body: "x".repeat(1024 * 1024 + 1) });

    expect([large.status, large.code]).toEqual([413, "too_large"]);
    expect((await publish("/t/large", { body: "x".repeat(1024 * 1024) })).status).toBe(201);
  });
});

describe("who may publish", () => {
  test("[W4] a stream that says nothing takes nothing", async () => {
    expect(await publish("/read/a", { body: "1" }, await tokenOf({ publish: ["/*"] }))).toMatchObject({
      status: 403,
      code: "forbidden",
    });
  });

  test("[W4] one for tokens takes what a token allows, and tells others as little as a GET", async () => {
    const may = await tokenOf({ publish: ["/private/a*"] });

    expect(await publish("/private/a1", { body: "1" }, may)).toMatchObject({ status: 201 });
    expect(await publish("/private/b", { body: "1" }, may)).toMatchObject({ status: 404 });
    expect(
      await publish(
        "/private/b",
        { body: "1" },
        await tokenOf({ publish: ["/private/a*"], discover: ["/*"] }),
      ),
    ).toMatchObject({ status: 403, code: "forbidden" });
    expect(await publish("/private/a1", { body: "1" })).toMatchObject({ status: 401, code: "no_token" });
    expect(await publish("/nothing/a1", { body: "1" })).toMatchObject({ status: 401, code: "no_token" });
  });

  test("[W4] [A9] not with a token that was revoked", async () => {
    const token = await tokenOf({ subject: "mallory", publish: ["/private/*"] });
    const admin = new Administrator(world.deployment.url, await tokenOf({ subject: "admin", admin: true }));
    expect(await publish("/private/m", { body: "1" }, token)).toMatchObject({ status: 201 });

    expect((await admin.revoke({ subject: "mallory" })).status).toBe(200);
    expect(await publish("/private/m", { body: "2" }, token)).toMatchObject({ status: 401, code: "revoked" });
  });

  test("[W3] two subjects may call their publishes the same", async () => {
    const headers = { "Idempotency-Key": "mine" };
    const of = async (subject: string) => {
      const token = await tokenOf({ subject, publish: ["/private/*"] });
      return publish("/private/shared", { body: subject, headers }, token);
    };
    const [alice, bob] = [await of("alice"), await of("bob")];

    expect([alice.status, bob.status]).toEqual([201, 201]);
    expect(alice.position).not.toBe(bob.position);
  });
});

test("[W8] [W9] [W3] origins are killed while clients publish: each publish is one record, where it was acknowledged, and each sender's are in order", async () => {
  const paths = PATHS.map((path) => `${path}-load`);
  const count = await publishWhile(world.deployment, paths, async (published) => {
    await world.killByTurns(4, published);
    await world.areReady();
  });

  expect(count).toBeGreaterThan(400);
}, 120_000);
