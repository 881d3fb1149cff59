/** What the Worker's routes do before they know who sends a request, asked of the routes themselves. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { REFUSALS_TOLD } from "../../../edge/http/refused-origins.ts";

/** Imported without its types, which are those of another platform. */
const APP = join(import.meta.dirname, "../../../edge/http/app.ts");

interface Routes {
  createApp(
    page: unknown,
    doorOf: () => Promise<unknown>,
  ): { fetch(request: Request, env: unknown): Promise<Response> };
}

/** What the log was told meanwhile. */
function heard(level: "warn" | "error"): readonly unknown[][] {
  const spy = vi.spyOn(console, level).mockImplementation(() => {});
  onTestFinished(() => spy.mockRestore());
  return spy.mock.calls;
}

const STATUS = { connected: true, ready: true, standbys: [], slices: [] };
const ENV = {
  SHARDS: "1",
  SHARD: { idFromName: (name: string) => name, get: () => ({ status: async () => STATUS }) },
  UPLINK_KEYS: `k1:origin-1:${"s".repeat(32)}`,
};

const OPEN = async () => ({ rules: { cookie: undefined, webOrigins: undefined } });

async function ask(doorOf: () => Promise<unknown>, path: string, init: RequestInit = {}, env: object = ENV) {
  const { createApp } = (await import(APP)) as Routes;
  return createApp(new Map(), doorOf).fetch(new Request(`https://edge.example${path}`, init), env);
}

describe("[U9] [U1] while a setting of access is wrong", () => {
  const wrong = () => Promise.reject(new Error("AUTH_ISSUERS isn't JSON"));

  test.each<[string, number]>([
    ["/$/health", 200],
    ["/$/uplink", 401],
    ["/$/streams", 500],
    ["/quotes/A", 500],
    ["/$/", 500],
  ])("%s is answered with %i", async (path, status) => {
    const answer = await ask(wrong, path);

    expect(answer.status).toBe(status);
  });

  test("health is read only, and what it answers is no other type", async () => {
    expect((await ask(wrong, "/$/health", { method: "POST" })).status).toBe(405);
    expect((await ask(wrong, "/$/health")).headers.get("X-Content-Type-Options")).toBe("nosniff");
  });
});

describe("[H10] however often strangers ask for health", () => {
  /** Routes that count how often their shard was asked, and say of it what `status` holds. */
  async function counting() {
    const status = { ...STATUS };
    const asked = { times: 0 };
    const shard = {
      status: async () => {
        asked.times++;
        return { ...status };
      },
    };
    const env = { ...ENV, SHARD: { idFromName: (name: string) => name, get: () => shard } };
    const { createApp } = (await import(APP)) as Routes;
    const app = createApp(new Map(), OPEN);
    const health = async (headers = {}, more = {}) =>
      (await app.fetch(new Request("https://edge.example/$/health", { headers }), { ...env, ...more }))
        .status;
    return { status, asked, health };
  }

  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
  afterEach(() => void vi.useRealTimers());

  test("a shard that is well is asked once a second", async () => {
    const { status, asked, health } = await counting();
    for (let i = 0; i < 100; i++) expect(await health()).toBe(200);
    expect(asked.times).toBe(1);

    status.ready = false;
    vi.setSystemTime(Date.now() + 999);
    expect(await health()).toBe(200);
    vi.setSystemTime(Date.now() + 1);
    expect(await health()).toBe(503);
  });

  test("the end of trouble is seen at once, and so is all by those who are told names", async () => {
    const { status, asked, health } = await counting();
    status.connected = false;
    expect(await health()).toBe(503);
    status.connected = true;
    expect(await health()).toBe(200);

    status.connected = false;
    expect([await health(), await health({}, { DETAILS: "on" })]).toEqual([200, 503]);
    expect(asked.times).toBe(3);
  });
});

test("[T5] health is for the pages that are listed, as all else is", async () => {
  const door = async () => ({ rules: { cookie: undefined, webOrigins: new Set(["https://app.example"]) } });
  const from = (Origin: string) => ask(door, "/$/health", { headers: { Origin } });

  expect((await from("https://evil.example")).status).toBe(403);
  const allowed = await from("https://app.example");
  expect([allowed.status, allowed.headers.get("Access-Control-Allow-Origin")]).toEqual([
    200,
    "https://app.example",
  ]);
});

test.each([
  ["a page that is listed", "https://app.example", "cookie", 201],
  ["no page", undefined, "no cookie", 201],
  ["a page that isn't", "https://evil.example", undefined, 403],
])("[T5] a publish by %s comes with %s: %s", async (_, origin, comesWith, status) => {
  let came: string | undefined;
  const door = async () => ({
    rules: { cookie: "token", webOrigins: new Set(["https://app.example"]) },
    identify: async (headers: Headers) => {
      came = headers.has("Cookie") ? "cookie" : "no cookie";
      return { ok: true, known: { principal: { kind: "public" }, grants: undefined, tokensCount: true } };
    },
  });
  const shard = { publish: async () => ({ kind: "position", position: "e:1" }) };
  const env = { ...ENV, SHARD: { idFromName: (name: string) => name, get: () => shard } };
  const headers = { Cookie: "token=t", ...(origin !== undefined && { Origin: origin }) };

  for (const method of ["POST", "DELETE"]) {
    came = undefined;
    const answer = await ask(door, "/quotes/A", { method, headers }, env);
    expect([answer.status, came]).toEqual([status, comesWith]);
  }
});

test("[T3] a token that can't be looked at yet is told when it can", async () => {
  const refused = { ok: false, code: "unavailable", message: "not now", retryMs: 20_500 };
  const door = async () => ({ ...(await OPEN()), identify: async () => refused });

  const answer = await ask(door, "/quotes/A");

  expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, "21"]);
});

test("[A9] no page of another origin is let to send a token to where tokens are revoked, listed or not", async () => {
  const asked = {
    Origin: "https://app.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization",
  };
  for (const webOrigins of [undefined, new Set([asked.Origin])]) {
    const door = async () => ({ rules: { cookie: undefined, webOrigins } });
    const preflight = (path: string) => ask(door, path, { method: "OPTIONS", headers: asked });
    expect((await preflight("/quotes/A")).headers.has("Access-Control-Allow-Headers")).toBe(true);
    for (const path of ["/$/revocations", "/$/revocations/an-id"]) {
      const names = [...(await preflight(path)).headers.keys()];
      expect(names.filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  }
});

describe("[T7] an administrator's token that was revoked", () => {
  const grants = { subscribe: [], publish: [], discover: [], admin: true };
  const principal = { kind: "known", issuer: "i", subject: "operator", issuedAt: 0, grants, until: 1e15 };
  const known = { principal, grants: { admin: true }, tokensCount: true };
  const door = async () => ({ ...(await OPEN()), identify: async () => ({ ok: true, known }) });
  const status = { ...STATUS, origin: "a-name", standbys: [], slices: [] };
  const env = (isRevoked: boolean) => ({
    ...ENV,
    OPERATIONS: "on",
    SHARD: { ...ENV.SHARD, get: () => ({ status: async () => status, isRevoked: async () => isRevoked }) },
  });
  const shown = async (path: string, isRevoked: boolean) => {
    const answer = await ask(door, path, { headers: { Authorization: "Bearer a.b.c" } }, env(isRevoked));
    return [answer.status, (await answer.text()).includes("a-name")];
  };

  test("is shown no names of origins", async () => {
    expect(await shown("/$/health", false)).toEqual([200, true]);
    expect(await shown("/$/health", true)).toEqual([200, false]);
  });

  test("is shown no operations", async () => {
    expect((await shown("/$/operations", false))[0]).toBe(200);
    expect((await shown("/$/operations", true))[0]).toBe(404);
  });
});

test("[H10] an administrator is told the operations of all parts, and no cache keeps them", async () => {
  const grants = { subscribe: [], publish: [], discover: [], admin: true };
  const principal = { kind: "known", issuer: "i", subject: "operator", issuedAt: 0, grants, until: 1e15 };
  const known = { principal, grants: { admin: true }, tokensCount: true };
  const identify = async (headers: Headers) => ({ ok: headers.has("Authorization"), known });
  const door = async () => ({ ...(await OPEN()), identify });
  const shard = { status: async () => STATUS, isRevoked: async () => false };
  const env = { ...ENV, OPERATIONS: "on", SHARD: { ...ENV.SHARD, get: () => shard } };
  const STORING = {
    fetch: async (url: string, init?: RequestInit) =>
      (await ask(door, new URL(url).pathname, init, env)).ok
        ? Response.json({ rows_written: 7 })
        : Response.json({ error: { code: "not_found" } }),
  };

  const answer = await ask(
    door,
    "/$/operations",
    { headers: { Authorization: "Bearer a.b.c" } },
    { ...env, STORING },
  );

  expect(await answer.json()).toMatchObject({ rows_written: 7 });
  expect(answer.headers.get("Cache-Control")).toBe("no-store");
});

test("[U1] origins that are refused fill no log, and it says of how many it tells nothing", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const lines = heard("warn");

  for (let dial = 0; dial < 500; dial++) expect((await ask(OPEN, "/$/uplink")).status).toBe(401);
  const told = lines.length;
  vi.setSystemTime(Date.now() + 60_000);
  await ask(OPEN, "/$/uplink");

  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThanOrEqual(REFUSALS_TOLD.burst);
  expect(String(lines.at(-1))).toContain(`${500 - told} before`);
});

test("[C1] where origins can't be let in the log repeats nothing of a request", async () => {
  const lines = heard("error");

  const answer = await ask(OPEN, "/$/uplink?shard=hush", {}, { ...ENV, UPLINK_KEYS: "" });

  expect(answer.status).toBe(500);
  expect(String(lines)).toContain("UPLINK_KEYS must be");
  expect(String(lines)).not.toContain("hush");
});
