/** What passes nginx as examples/proxies/nginx.conf has it, and what becomes of it behind one that spells paths anew. */
import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examineProxy } from "../../origin/doctor/proxy.ts";
import { subscribe } from "../../shared/client/client.ts";
import { base64Path, endpointPath } from "../../shared/protocol/address.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { Nginx, noNginx } from "../support/nginx.ts";
import { freePorts } from "../support/ports.ts";
import { RawEvents } from "../support/raw-events.ts";

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
/** What nginx refuses, whatever it is told: with 400, or because it takes it for another place than the edge's. */
const REFUSED: readonly (readonly [name: string, key: Uint8Array])[] = [
  ["with a zero byte", Uint8Array.of(0, 0, 0, 42)],
  ["that would lead above the root if it were no key", utf8("../../$/health")],
];

const reason = noNginx();
const describeWithNginx = reason === undefined ? describe : describe.skip;

describeWithNginx(`behind nginx${reason === undefined ? "" : ` (skipped: ${reason})`}:`, () => {
  let deployment: Deployment;
  let proxies: readonly Nginx[] = [];
  /** As the recipe has it; below a path; and one that spells paths anew. */
  let urls: { readonly plain: string; readonly below: string; readonly respelling: string };

  beforeAll(async () => {
    deployment = await Deployment.start({
      topics: { keys: { stream: { compacted: true, publish: "public" } } },
      edgeEnv: { BASE_PATH: BASE, PROXIES: "127.0.0.1" },
      originEnv: { PUBLISH_SECRET: "x".repeat(32) },
    });
    deployment.produce(
      "keys",
      [...KEYS, ...REFUSED].map(([, key]) => ({
        key,
        value: utf8(Buffer.from(key).toString("hex")),
      })),
    );
    const [plain = 0, below = 0, respelling = 0] = await freePorts(3);
    const edge = new URL(deployment.url).host;
    const start = (port: number, from = "", to = "") =>
      Nginx.start("nginx.conf", port, (text) => text.replaceAll("127.0.0.1:8787", edge).replace(from, to));
    proxies = await Promise.all([
      start(plain),
      start(below, "location / {", `location ${BASE}/ {`),
      start(respelling, "proxy_pass http://edge;", "proxy_pass http://edge/;"),
    ]);
    urls = {
      plain: `http://127.0.0.1:${plain}`,
      below: `http://127.0.0.1:${below}${BASE}`,
      respelling: `http://127.0.0.1:${respelling}`,
    };
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await deployment?.stop();
  });

  /** What is at a URL, as it is asked for: a URL parser would take things away. Follows redirects, of which it tells how many. */
  async function got(
    base: string,
    path: string,
    hops = 0,
  ): Promise<readonly [status: number, body: string, hops: number]> {
    const { hostname, port, origin, pathname } = new URL(base);
    const full = (pathname === "/" ? "" : pathname) + path;
    const { promise, resolve, reject } =
      Promise.withResolvers<readonly [number, string, string | undefined]>();
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

  const hexOf = (key: Uint8Array) => Buffer.from(key).toString("hex");

  describe.each(["plain", "below"] as const)("as the recipe has it, %s,", (way) => {
    test.each(KEYS)("[A1] a key of the kind %s is reached by GET, by both of its paths", async (_, key) => {
      expect(await got(urls[way], endpointPath("keys", key))).toEqual([200, hexOf(key), 0]);
      expect(await got(urls[way], base64Path({ topic: "keys", key }))).toEqual([200, hexOf(key), 0]);
    });

    test.each(KEYS)(
      "[A13] [A14] a key of the kind %s is subscribed to, by both of its paths",
      async (_, key) => {
        for (const path of [endpointPath("keys", key), base64Path({ topic: "keys", key })]) {
          const subscription = subscribe(urls[way].replace("http", "ws") + path);
          const { promise, resolve, reject } = Promise.withResolvers<string>();
          subscription.on("update", (update) => resolve(update.text() ?? ""));
          subscription.on("connection", (change) => {
            if (change.state === "closed") reject(new Error(JSON.stringify(change)));
          });
          expect(await promise).toBe(hexOf(key));
          subscription.close();
        }
      },
    );

    test("[A3] another spelling is led to the key, below the same path", async () => {
      expect(await got(urls[way], "/keys/user:42")).toEqual([200, hexOf(utf8("user:42")), 1]);
      expect((await got(urls[way], "/")).slice(0, 1)).toEqual([200]);
    });

    test.each(REFUSED)("[A13] a key %s, which nginx refuses, passes in base64url", async (_, key) => {
      expect((await got(urls[way], endpointPath("keys", key)))[0]).toBeOneOf([400, 403]);
      expect(await got(urls[way], base64Path({ topic: "keys", key }))).toEqual([200, hexOf(key), 0]);
    });

    test("[W1] what is published arrives", async () => {
      const path = endpointPath("keys", utf8("published/here"));
      const answer = await fetch(urls[way] + path, { method: "POST", body: way });

      expect(answer.status).toBe(201);
      expect(await (await fetch(urls[way] + path)).text()).toBe(way);
    });

    test("[E1] events of a stream come as they happen", async () => {
      const key = utf8(`streamed ${way}`);
      deployment.produce("keys", [{ key, value: utf8("1") }]);
      const events = new RawEvents(urls[way] + endpointPath("keys", key));
      await events.until(({ updates }) => updates.length === 1, "the latest");
      deployment.produce("keys", [{ key, value: utf8("2") }]);
      await events.until(({ updates }) => updates.length === 2, "the next, though the answer goes on");

      events.cut();
      expect(events.violations).toEqual([]);
    });

    test("doctor finds nothing but the zero byte", async () => {
      const findings = [];
      for await (const { verdict, says } of examineProxy(new URL(urls[way]))) findings.push([verdict, says]);

      expect(findings).toEqual([
        ["wrong", expect.stringContaining("/a%00b is answered with status 400")],
        ["ok", "lets WebSockets through"],
      ]);
    });
  });

  test("[A3] behind one that spells paths anew no redirect goes in a circle: the key is reached all the same", async () => {
    for (const key of [utf8("user:42"), utf8("a,b;c"), utf8("a@b")])
      expect(await got(urls.respelling, endpointPath("keys", key))).toEqual([200, hexOf(key), 2]);
  });

  test("doctor says what that one does", async () => {
    const said: string[] = [];
    for await (const { verdict, says } of examineProxy(new URL(urls.respelling)))
      said.push(`${verdict} ${says}`);

    expect(said).toContain(
      "wrong keys with special characters can't be reached by their URL: /a%3Ab arrives as /a:b",
    );
    expect(said).toContain("wrong keys with a slash can't be reached by their URL: /a%2Fb arrives as /a/b");
  });
});
