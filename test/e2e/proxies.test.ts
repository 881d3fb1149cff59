/** What passes the proxies that examples/proxies has recipes for, and what becomes of it behind one that spells paths anew. */
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examineProxy } from "../../origin/doctor/proxy.ts";
import { subscribe } from "../../shared/client/client.ts";
import { Client } from "../../shared/client/index.ts";
import { base64Path, endpointPath } from "../../shared/protocol/address.ts";
import { eventually } from "../support/deadline.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { ifLong } from "../support/long.ts";
import { type ProxyName, proxyProgram } from "../support/proxy-programs.ts";
import { RawEvents } from "../support/raw-events.ts";
import { type RunningProxy, recipeBelow, recipeOf, startProxy } from "../support/recipe-proxies.ts";

const BASE = "/live";

const KEYS: readonly (readonly [name: string, key: Uint8Array])[] = [
  ["plain", utf8("AAPL")],
  ["colon", utf8("user:42")],
  ["slash", utf8("a/b")],
  ["two slashes", utf8("x//y")],
  ["slash at the end", utf8("a/")],
  ["space", utf8("a b")],
  ["plus", utf8("a+b")],
  ["percent", utf8("100%")],
  ["percent that looks encoded", utf8("%2F")],
  ["at", utf8("a@b")],
  ["comma, semicolon", utf8("a,b;c")],
  ["JSON", utf8('{"id":1}')],
  ["tilde", utf8("a~b")],
  ["query, fragment", utf8("a?b#c")],
  ["backslash", utf8("a\\b")],
  ["empty", utf8("")],
  ["dot", utf8(".")],
  ["UTF-8", utf8("é😀")],
  ["not UTF-8", Uint8Array.of(0xff, 0xc3)],
  ["1 KB", utf8("k/".repeat(512))],
];
type Key = (typeof KEYS)[number];

/** Keys that some proxies refuse, whatever they are told. */
const ZERO: Key = ["with a zero byte", Uint8Array.of(0, 0, 0, 42)];
const ABOVE: Key = ["that would lead above the root if it were no key", utf8("../../$/health")];

interface Proxy {
  readonly name: ProxyName;
  readonly refuses: readonly Key[];
  /** What it refuses, too, if the edge is below a path. */
  readonly refusesBelow?: readonly Key[];
  /** What doctor says is wrong. */
  readonly wrong: readonly string[];
}

const PROXIES: readonly Proxy[] = [
  { name: "nginx", refuses: [ZERO, ABOVE], wrong: ["/a%00b is answered with status 400"] },
  { name: "caddy", refuses: [], refusesBelow: [ABOVE], wrong: [] },
  ...ifLong<Proxy>(
    { name: "envoy", refuses: [], wrong: [] },
    { name: "haproxy", refuses: [], wrong: [] },
    { name: "apache", refuses: [ZERO], wrong: ["/a%00b is answered with status 404"] },
  ),
];

const hexOf = (key: Uint8Array) => Buffer.from(key).toString("hex");

/** What is at a URL, as it is asked for: a URL parser would take things away. Follows redirects, of which it tells how many. */
async function got(
  base: string,
  path: string,
  hops = 0,
): Promise<readonly [status: number, body: string, hops: number]> {
  const { hostname, port, origin, pathname } = new URL(base);
  const full = (pathname === "/" ? "" : pathname) + path;
  const { promise, resolve, reject } = Promise.withResolvers<readonly [number, string, string | undefined]>();
  get({ host: hostname, port, path: full }, (answer) => {
    let body = "";
    answer.setEncoding("utf8").on("data", (part: string) => (body += part));
    answer.on("end", () => resolve([answer.statusCode ?? 0, body, answer.headers.location]));
  }).on("error", reject);
  const [status, body, location] = await promise;
  if (location === undefined || hops >= 5) return [status, body, hops];
  const to = location.startsWith("/") ? location : location.replace(origin, "");
  return got(origin, to, hops + 1);
}

/** The value of the first update. */
async function subscribed(url: string): Promise<string> {
  const subscription = subscribe(url.replace("http", "ws"));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  subscription.on("update", (update) => resolve(update.text() ?? ""));
  subscription.on("connection", (change) => {
    if (change.state === "closed") reject(new Error(`${url}: ${JSON.stringify(change)}`));
  });
  try {
    return await promise;
  } finally {
    subscription.close();
  }
}

/** Why a subscription doesn't open, or has ended, as the client says within 10 s. */
async function problemOf(url: string): Promise<{ readonly code: string; readonly message: string }> {
  const subscription = subscribe(url.replace("http", "ws"));
  let error: { readonly code: string; readonly message: string } | undefined;
  subscription.on("error", (told) => {
    error = told;
  });
  try {
    return await eventually(() => error ?? subscription.connection.problem, `${url} has a problem`, 10_000);
  } finally {
    subscription.close();
  }
}

/** Another path of a key, if it has one: each of its bytes encoded, in lower case. Of dots a URL parser would take it away. */
function otherSpelling(key: Uint8Array): string | undefined {
  const text = Array.from(key, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  return /^(%2e){0,2}$/.test(text) ? undefined : `/keys/${text}`;
}

function reasonAgainst(name: ProxyName): string | undefined {
  try {
    proxyProgram(name);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Skipped by name, and with the reason, where the proxy can't be had. */
function describeBehind(name: ProxyName, body: () => void): void {
  const reason = reasonAgainst(name);
  if (reason === undefined) describe(`behind ${name}`, body);
  else describe.skip(`behind ${name} (skipped: ${reason})`, body);
}

let deployment: Deployment;
let edge: string;
let folder: string;

beforeAll(async () => {
  deployment = await Deployment.start({
    topics: { keys: { stream: { compacted: true, publish: "public" } } },
    edgeEnv: { BASE_PATH: BASE, PROXIES: "127.0.0.1" },
    originEnv: { PUBLISH_SECRET: "x".repeat(32) },
  });
  edge = new URL(deployment.url).host;
  const all = [...KEYS, ZERO, ABOVE];
  deployment.produce(
    "keys",
    all.map(([, key]) => ({ key, value: utf8(hexOf(key)) })),
  );
  folder = mkdtempSync(join(tmpdir(), "distributary-proxies-"));
});
afterAll(async () => {
  await deployment?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Starts it for the tests of a group; returns where its edge is. */
function running(name: ProxyName, text: () => string, base = ""): () => string {
  let proxy: RunningProxy;
  beforeAll(async () => {
    proxy = await startProxy(name, text(), edge, folder);
  });
  afterAll(() => proxy?.stop());
  return () => proxy.url + base;
}

for (const proxy of PROXIES)
  describeBehind(proxy.name, () => {
    const { name, refuses, refusesBelow = [] } = proxy;
    describe("as the recipe has it,", () =>
      passes(
        running(name, () => recipeOf(name)),
        proxy,
      ));
    describe("below a path,", () =>
      passes(
        running(name, () => recipeBelow(name, BASE), BASE),
        { ...proxy, refuses: [...refuses, ...refusesBelow] },
      ));
  });

function passes(url: () => string, { name, refuses, wrong }: Proxy): void {
  const passing = [...KEYS, ZERO, ABOVE].filter((key) => !refuses.includes(key));
  const paths = (key: Uint8Array) => [endpointPath("keys", key), base64Path({ topic: "keys", key })];

  test("[A1] keys of every kind are reached by GET, by both of their paths", async () => {
    const found = [];
    for (const [kind, key] of passing)
      for (const path of paths(key)) found.push([kind, ...(await got(url(), path))]);

    expect(found).toEqual(
      passing.flatMap(([kind, key]) => [
        [kind, 200, hexOf(key), 0],
        [kind, 200, hexOf(key), 0],
      ]),
    );
  });

  test("[A13] [A14] keys of every kind are subscribed to, by both of their paths", async () => {
    for (const [kind, key] of passing) {
      const found = await Promise.all(paths(key).map((path) => subscribed(url() + path)));
      expect([kind, ...found]).toEqual([kind, hexOf(key), hexOf(key)]);
    }
  });

  test("[E1] keys of every kind are followed by event streams, by both of their paths", async () => {
    for (const [kind, key] of passing)
      for (const path of paths(key)) {
        const events = new RawEvents(url() + path);
        await events.until(({ updates }) => updates.length === 1, `the latest of a key of the kind ${kind}`);
        events.cut();
        expect(events.violations).toEqual([]);
      }
  });

  test("[A3] keys of every kind are led to from another spelling, below the same path", async () => {
    const found = [];
    const expected = [];
    for (const [kind, key] of passing) {
      const path = otherSpelling(key);
      if (path === undefined) continue;
      found.push([kind, ...(await got(url(), path))]);
      expected.push([kind, 200, hexOf(key), 1]);
    }

    expect(found).toEqual(expected);
    expect(await got(url(), "/keys/user:42")).toEqual([200, hexOf(utf8("user:42")), 1]);
    expect((await got(url(), "/")).slice(0, 1)).toEqual([200]);
  });

  if (refuses.length > 0)
    test(`[A13] keys that ${name} refuses pass in base64url: ${refuses.map(([kind]) => kind)}`, async () => {
      for (const [, key] of refuses) {
        expect(await got(url(), endpointPath("keys", key))).not.toEqual([200, hexOf(key), 0]);
        expect(await got(url(), base64Path({ topic: "keys", key }))).toEqual([200, hexOf(key), 0]);
      }
    });

  // Caddy answers a subscribe as it does a GET, with an empty 200.
  if (refuses.length > 0)
    test(`the client says that ${name} doesn't let it through by the paths of those keys`, async () => {
      for (const [, key] of refuses)
        expect(await problemOf(url() + endpointPath("keys", key))).toMatchObject({ code: "not_an_edge" });
    });

  test("[W1] what is published arrives", async () => {
    const path = endpointPath("keys", utf8(`published/by ${url()}`));
    const answer = await fetch(url() + path, { method: "POST", body: name });

    expect(answer.status).toBe(201);
    expect(await (await fetch(url() + path)).text()).toBe(name);
  });

  test("[E1] events of a stream come as they happen", async () => {
    const key = utf8(`streamed ${url()}`);
    deployment.produce("keys", [{ key, value: utf8("1") }]);
    const events = new RawEvents(url() + endpointPath("keys", key));
    await events.until(({ updates }) => updates.length === 1, "the latest");
    deployment.produce("keys", [{ key, value: utf8("2") }]);
    await events.until(({ updates }) => updates.length === 2, "the next, though the answer goes on");

    events.cut();
    expect(events.violations).toEqual([]);
  });

  test("doctor finds what the proxy can't be told to pass, and nothing else", async () => {
    expect(await found(url())).toEqual([
      ...wrong.map((says) => `wrong ${says}`),
      ...(wrong.length === 0 ? ["ok paths arrive as they are sent"] : []),
      "ok redirects lead to the edge",
      "ok lets WebSockets through",
    ]);
  });
}

/** What doctor says, without who is harmed. */
async function found(url: string): Promise<string[]> {
  const said: string[] = [];
  for await (const { verdict, says } of examineProxy(new URL(url)))
    said.push(`${verdict} ${says.replace(/^.* by their URL: /, "").replace(" before it gets there", "")}`);
  return said;
}

/** Each by the change that makes it of the recipe. */
describeBehind("nginx", () => {
  const changed = (from: string, to: string) => () => recipeOf("nginx").replace(from, to);

  describe("that spells paths anew,", () => {
    const url = running("nginx", changed("proxy_pass http://edge;", "proxy_pass http://edge/;"));

    test("[A3] no redirect goes in a circle: the key is reached all the same", async () => {
      for (const key of [utf8("user:42"), utf8("a,b;c"), utf8("a@b")])
        expect(await got(url(), endpointPath("keys", key))).toEqual([200, hexOf(key), 2]);
    });

    test("doctor says what it does", async () => {
      expect(await found(url())).toEqual(
        expect.arrayContaining([
          "wrong /a%3Ab arrives as /a:b",
          "wrong /a%2Fb arrives as /a/b",
          "wrong /a%2F%2Fb arrives as /a//b",
        ]),
      );
    });

    test.each([
      ["user:42", "not_canonical"],
      ["a/b", "bad_upgrade"],
    ])(
      "the client says so of %s, and comes through in base64url and on a connection of many",
      async (text, code) => {
        const key = utf8(text);
        const path = endpointPath("keys", key);
        expect(await problemOf(url() + path)).toMatchObject({
          code,
          message: expect.stringContaining("a proxy on the way changes paths"),
        });

        expect(await subscribed(url() + base64Path({ topic: "keys", key }))).toBe(hexOf(key));
        const client = new Client(url());
        for await (const update of client.subscribe(path)) {
          expect(update.text()).toBe(hexOf(key));
          break;
        }
        client.close();
      },
    );
  });

  describe("that makes one slash of two,", () => {
    const url = running("nginx", () =>
      changed("proxy_pass http://edge;", "proxy_pass http://edge/;")().replace(
        "merge_slashes off",
        "merge_slashes on",
      ),
    );

    test("doctor says so", async () => {
      expect(await found(url())).toEqual(
        expect.arrayContaining(["wrong /a//b arrives as /a/b", "wrong /a%2F%2Fb arrives as /a/b"]),
      );
    });

    test("the client says so", async () => {
      expect(await problemOf(url() + endpointPath("keys", utf8("x//y")))).toMatchObject({
        code: "bad_upgrade",
        message: expect.stringContaining("a proxy on the way changes paths"),
      });
    });
  });

  describe("that takes its path away from what it asks for,", () => {
    const elsewhere = "/elsewhere";
    const url = running(
      "nginx",
      () => changed("location / {", `location ${elsewhere}/ {\nrewrite ^${elsewhere}/(.*)$ /$1 break;`)(),
      elsewhere,
    );

    test("doctor says that redirects lead astray", async () => {
      expect(await found(url())).toContain(`wrong redirects lead astray: ${elsewhere}/ leads to ${BASE}/$/`);
    });

    test("the client isn't harmed: it follows no redirects", async () => {
      const key = utf8("AAPL");
      expect(await subscribed(url() + endpointPath("keys", key))).toBe(hexOf(key));
    });
  });

  describe("that passes no upgrade on,", () => {
    const url = running("nginx", changed("proxy_set_header Upgrade $http_upgrade;", ""));

    test("doctor says that WebSockets don't get through", async () => {
      const [last] = (await found(url())).slice(-1);
      expect(last).toMatch(/^wrong WebSockets don't get through: /);
    });

    test("the client says so, and comes through by event streams", async () => {
      const path = endpointPath("keys", utf8("user:42"));
      expect(await problemOf(url() + path)).toMatchObject({ code: "websocket_blocked" });

      const client = new Client(url());
      for await (const update of client.subscribe(path)) {
        expect(update.text()).toBe(hexOf(utf8("user:42")));
        break;
      }

      expect(client.connection?.way).toBe("events");
      client.close();
    });
  });
});
