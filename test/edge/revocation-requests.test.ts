/** Who may revoke, what is refused, and what is told of it, in the real runtime. */
import { beforeEach, describe, expect, test } from "vitest";
import { Administrator, codeOf } from "../support/administrator.ts";
import { startEdge } from "../support/edge-harness.ts";
import { newPaths, newSubject, now, OTHER_ISSUER, revokingEdge } from "../support/revoking-edge.ts";
import { ISSUER, tokenOf } from "../support/tokens.ts";

const world = revokingEdge();
let subject: string;

beforeEach(() => {
  subject = newSubject();
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
    const nobody = new Administrator(world.edge.url, await make());
    for (const told of [await nobody.revoke({ subject }), await nobody.list(), await nobody.lift("x")]) {
      expect([told.status, codeOf(told)]).toEqual([status, code]);
      expect(told.headers.get("Cache-Control")).toContain("no-store");
    }
  });

  test("by a token that was revoked itself", async () => {
    const theirs = new Administrator(world.edge.url, await tokenOf({ subject, admin: true }));
    expect((await theirs.revoke({ subject })).status).toBe(200);

    for (const told of [await theirs.revoke({ subject: "x" }), await theirs.list(), await theirs.lift("x")])
      expect([told.status, codeOf(told)]).toEqual([401, "revoked"]);
  });

  test("by a cookie", async () => {
    const headers = { Cookie: `token=${await tokenOf({ admin: true })}` };
    for (const method of ["GET", "POST"]) {
      const body = method === "POST" ? JSON.stringify({ subject }) : null;
      const answer = await fetch(`${world.edge.url}/$/revocations`, { method, headers, body });
      expect(answer.status).toBe(401);
    }
  });

  test("what is another issuer's", async () => {
    const other = new Administrator(
      world.edge.url,
      await tokenOf({ subject, issuer: OTHER_ISSUER, admin: true }),
    );
    const { body } = await world.admin.revoke({ subject, id: `${subject}-x` });
    expect((await other.list()).body.revocations).not.toContainEqual(
      expect.objectContaining({ id: body.id }),
    );
    expect((await other.lift(body.id)).status).toBe(404);
    // An id is each issuer's own.
    expect((await other.revoke({ subject: "x", id: body.id })).status).toBe(200);
    expect((await other.lift(body.id)).status).toBe(200);

    const { revocations } = (await world.admin.list()).body as { revocations: { id: string }[] };
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
    const told = await world.admin.revoke(body);
    expect([told.status, codeOf(told)]).toEqual([400, "bad_request"]);
    expect(JSON.stringify(told.body)).not.toContain("secret");
  });

  test("other methods and paths have their answers", async () => {
    const headers = { Authorization: `Bearer ${await tokenOf({ admin: true })}` };
    const asked = async (method: string, path: string) => {
      const answer = await fetch(`${world.edge.url}/$/revocations${path}`, { method, headers });
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
  const hers = await world.subscribe(path, token);
  const told = [
    await world.admin.revoke({ subject, graceSeconds: 30 }),
    await world.admin.revoke({ tokenId: id, graceSeconds: 30 }),
  ];
  await hers.until(({ others }) => others.length > 0, "the notice");
  const all = JSON.stringify([
    told,
    await world.admin.list(),
    world.edge.logs(),
    await world.edge.attachments(path),
  ]);

  for (const part of [subject, id, ...token.split(".")]) expect(all).not.toContain(part);
  expect(told.map(({ status }) => status)).toEqual([200, 200]);
  await hers.close();
});

test("[T7] health tells how many each shard has", async () => {
  const health = (await (await fetch(`${world.edge.url}/$/health`)).json()) as {
    shards: { revocations: number }[];
  };
  const before = health.shards.map(({ revocations }) => revocations);
  await world.admin.revoke({ subject });

  const after = (await (await fetch(`${world.edge.url}/$/health`)).json()) as typeof health;
  expect(after.shards.map(({ revocations }) => revocations)).toEqual(before.map((count) => count + 1));
});
