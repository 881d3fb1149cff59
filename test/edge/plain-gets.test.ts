/** What followed a position, and the latest record when it changes, by GETs: in the real runtime. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Administrator } from "../support/administrator.ts";
import { eventually } from "../support/deadline.ts";
import { startEdge, type TestEdge } from "../support/edge-harness.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

let edge: TestEdge;
let origin: ScriptedOrigin;
let keys = 0;

beforeAll(async () => {
  edge = await startEdge({ SHARDS: "1", AUTH_ISSUERS });
  origin = await new ScriptedOrigin({ url: edge.url, shards: 1, page: 500 }).connect();
}, 60_000);
afterAll(async () => {
  origin.cut();
  await edge.close();
});

const newPath = () => `/quotes/gets-${++keys}`;
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const ask = (path: string, headers: Record<string, string> = {}) => fetch(`${edge.url}${path}`, { headers });

interface PageBody {
  readonly position: string;
  readonly recovered: boolean;
  readonly cause?: string;
  readonly more: boolean;
  readonly updates: readonly Record<string, unknown>[];
}

const pageOf = async (path: string, headers: Record<string, string> = {}) =>
  (await (await ask(path, headers)).json()) as PageBody;
const codeOf = async (answer: Response) =>
  [answer.status, ((await answer.json()) as { error: { code: string } }).error.code] as const;
const isFollowed = (path: string) =>
  eventually(async () => (await edge.attachments(path)).length > 0, "it is followed");
const isLeft = (path: string) =>
  eventually(async () => (await edge.attachments(path)).length === 0, "the object has no socket");

describe("a GET with from", () => {
  test("[H12] lists what followed, as it was produced, and where to go on", async () => {
    const path = newPath();
    const first = origin.append(path, 1, "l.0");
    origin.append(path, { kind: "json", text: '{ "a":\n1.50 }' }, "l.0");
    origin.append(path, new Uint8Array([255, 0]), "l.0");
    const answer = await ask(`${path}?from=l.0:${first.offset}`);
    const text = await answer.text();
    const page = JSON.parse(text) as PageBody;

    expect(answer.headers.get("Content-Type")).toBe("application/json");
    expect(page).toMatchObject({ position: origin.headOf(path), recovered: true, more: false });
    expect(page.updates).toMatchObject([
      { e: path, v: { a: 1.5 } },
      { n: 2, b: "/wA=" },
    ]);
    expect(text).toContain(',"v":{ "a":\n1.50 }}');
    expect(await pageOf(`${path}?from=${page.position}`)).toEqual({
      position: page.position,
      recovered: true,
      more: false,
      updates: [],
    });
    await isLeft(path);
  });

  test("[H12] comes in pages, which follow one another without a hole", async () => {
    const path = newPath();
    const from = `p.0:${origin.append(path, 0, "p.0").offset}`;
    for (let i = 1; i <= 2_500; i++) origin.append(path, i, "p.0");
    const values: unknown[] = [];
    const sizes: number[] = [];
    for (let position = from, more = true; more; ) {
      const page = await pageOf(`${path}?from=${position}`);
      expect(page.recovered).toBe(true);
      values.push(...page.updates.map(({ v }) => v));
      sizes.push(page.updates.length);
      ({ position, more } = page);
    }

    expect(values).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 1));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
  });

  test("[H12] says so where it can't be shown that nothing is missing, and goes on from the latest", async () => {
    const path = newPath();
    origin.append(path, 1, "x.0");
    origin.append(path, 2, "x.0");
    const page = await pageOf(`${path}?from=gone.0:1`);

    expect(page).toMatchObject({
      recovered: false,
      cause: "epoch",
      position: origin.headOf(path),
      more: false,
    });
    expect(page.updates).toMatchObject([{ v: 2 }]);
  });

  test("[H12] waits for the next update, if it is to, and for no longer", async () => {
    const path = newPath();
    const from = `w.0:${origin.append(path, 1, "w.0").offset}`;
    const waiting = pageOf(`${path}?from=${from}`, { Prefer: "wait=20" });
    await isFollowed(path);
    await eventually(() => origin.linksOf(path).length > 0, "it is live");
    origin.append(path, 2, "w.0");
    const late = await ask(`${path}?from=${(await waiting).position}`, { Prefer: "wait=1" });

    expect((await waiting).updates).toMatchObject([{ v: 2 }]);
    expect(late.headers.get("Preference-Applied")).toBe("wait=1");
    expect(await late.json()).toMatchObject({ recovered: true, more: false, updates: [] });
  });

  test("[H12] refuses what is no position, and tells that the source is away", async () => {
    const path = newPath();
    expect(await codeOf(await ask(`${path}?from=7`))).toEqual([400, "bad_position"]);
    origin.answering = false;
    const away = await ask(`${path}?from=e.0:1`);
    origin.answerHeld();

    expect(await codeOf(away)).toEqual([503, "unavailable"]);
    expect(away.headers.get("Retry-After")).not.toBeNull();
  });
});

describe("a GET that may wait", () => {
  const poll = (path: string, tag: string | null, wait = 20, more: Record<string, string> = {}) =>
    ask(path, { "If-None-Match": tag ?? '"-"', Prefer: `wait=${wait}`, ...more });

  test("[H13] is answered at once if there is something newer, and else with what comes", async () => {
    const path = newPath();
    origin.append(path, 1);
    const old = (await ask(path)).headers.get("ETag");
    origin.append(path, 2);
    const newer = await poll(path, old);
    const waiting = poll(path, newer.headers.get("ETag"));
    await isFollowed(path);
    await eventually(() => origin.linksOf(path).length > 0, "it is live");
    origin.append(path, 3);
    const next = await waiting;

    expect([newer.status, await newer.text()]).toEqual([200, "2"]);
    expect([next.status, await next.text()]).toEqual([200, "3"]);
    expect(next.headers.get("ETag")).toBe(`"${origin.headOf(path)}"`);
    expect(next.headers.get("Preference-Applied")).toBe("wait=20");
    await isLeft(path);
  });

  test("[H13] is 304 when its time is up, with the tag to go on with", async () => {
    const path = newPath();
    origin.append(path, 1);
    const tag = (await ask(path)).headers.get("ETag");
    const answer = await poll(path, tag, 1);

    expect([answer.status, answer.headers.get("ETag")]).toEqual([304, tag]);
    await isLeft(path);
  });

  test("[H13] of a key that isn't there, or was deleted, waits for its next record too", async () => {
    const path = newPath();
    const first = poll(path, null);
    await isFollowed(path);
    await eventually(() => origin.linksOf(path).length > 0, "it is live");
    origin.append(path, 1);
    const begun = await first;
    origin.append(path, null);
    const deleted = await poll(path, begun.headers.get("ETag"));
    const third = poll(path, deleted.headers.get("ETag"));
    await isFollowed(path);
    origin.append(path, 3);

    expect([begun.status, await begun.text()]).toEqual([200, "1"]);
    expect(await codeOf(deleted)).toEqual([404, "deleted"]);
    expect(await (await third).text()).toBe("3");
    const none = newPath();
    expect(await codeOf(await poll(none, null, 1))).toEqual([404, "unknown_key"]);
  });

  test("[H13] [T7] whose token ends or is revoked while it waits is refused by that", async () => {
    const path = newPath();
    origin.append(path, 1);
    const tag = (await ask(path)).headers.get("ETag");
    const short = await tokenOf({ until: 8 });
    const admin = new Administrator(edge.url, await tokenOf({ subject: "the-admin", admin: true, id: "a" }));
    const expired = poll(path, tag, 20, bearer(short));
    const revoked = poll(path, tag, 20, bearer(await tokenOf({ subject: "mallory" })));
    await eventually(async () => (await edge.attachments(path)).length === 2, "both wait");
    await admin.revoke({ subject: "mallory" });

    expect(await codeOf(await revoked)).toEqual([401, "revoked"]);
    expect(await codeOf(await expired)).toEqual([401, "expired"]);
  });

  test("[H12] [H13] [T7] whose token is revoked is told nothing more, even if sockets are left time to renew", async () => {
    const path = newPath();
    const { offset } = origin.append(path, 1);
    const tag = (await ask(path)).headers.get("ETag");
    const token = await tokenOf({ subject: "oscar" });
    const admin = new Administrator(edge.url, await tokenOf({ subject: "the-admin", admin: true, id: "a" }));
    const state = poll(path, tag, 20, bearer(token));
    const list = ask(`${path}?from=e.0:${offset}`, { Prefer: "wait=20", ...bearer(token) });
    const nothing = poll(path, tag, 3, bearer(token));
    await eventually(async () => (await edge.attachments(path)).length === 3, "all wait");
    await admin.revoke({ subject: "oscar", graceSeconds: 300 });
    const atTheEnd = await codeOf(await nothing);
    origin.append(path, 2);

    expect(atTheEnd).toEqual([401, "revoked"]);
    expect(await codeOf(await state)).toEqual([401, "revoked"]);
    expect(await codeOf(await list)).toEqual([401, "revoked"]);
  });

  test("[H13] without a tag, or without a wait, is answered at once", async () => {
    const path = newPath();
    origin.append(path, 1);
    const tag = String((await ask(path)).headers.get("ETag"));

    expect((await ask(path, { Prefer: "wait=20" })).status).toBe(200);
    expect((await ask(path, { "If-None-Match": tag })).status).toBe(304);
    expect((await ask(path, { "If-None-Match": tag, Prefer: "respond-async, wait=x" })).status).toBe(304);
  });
});
