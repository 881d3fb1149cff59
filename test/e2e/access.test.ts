/** Streams that are for tokens, on a real edge: over HTTP, WebSocket and from a page. */
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { EmbeddedLog } from "../../origin/embedded/log.ts";
import { CLOSE, mayReconnect, TOKEN_CLOSES } from "../../shared/protocol/codes.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { AUTH_ISSUERS, type TokenOf, tokenOf } from "../support/tokens.ts";

let edge: Deployment;

/** What is in the log before anything is read. */
const written =
  (...topics: string[]) =>
  (log: EmbeddedLog) => {
    for (const topic of topics) log.append(topic, [{ key: utf8("a"), value: utf8(`{"of":"${topic}"}`) }]);
  };

beforeAll(async () => {
  edge = await Deployment.start({
    topics: {
      open: {},
      closed: { stream: { subscribe: "token" } },
      known: { stream: { subscribe: "token", discover: "public" } },
      off: { stream: { subscribe: "nobody" } },
    },
    edgeEnv: { AUTH_ISSUERS },
    before: written("open", "closed", "known", "off"),
  });
});
afterAll(() => edge.stop());

async function get(path: string, token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${edge.url}${path}`, { headers });
  const body = (await answer.json()) as { error?: { code: string }; of?: string };
  return { status: answer.status, said: body.error?.code ?? body.of, headers: answer.headers };
}

/** How a subscribe ends that is refused, or the first frame of one that isn't. */
async function subscribe(path: string, protocols: string[]) {
  const socket = new WebSocket(`${edge.url.replace("http", "ws")}${path}`, protocols);
  try {
    return await Promise.race([
      once(socket, "message").then(([data]) => ({
        first: JSON.parse(String(data).split("\x1e", 1)[0] ?? ""),
        protocol: socket.protocol,
      })),
      once(socket, "close").then(([code, reason]) => ({
        code,
        reason: String(reason),
        protocol: socket.protocol,
      })),
    ]);
  } finally {
    socket.terminate();
  }
}

describe("[T1] [T2] a stream for tokens is read", () => {
  test.each<[string, TokenOf, string]>([
    ["by its pattern", { subscribe: ["/closed/*"] }, "/closed/a"],
    ["by its path", { subscribe: ["/closed/a"] }, "/closed/a"],
    ["by a claim", { subject: "a", subscribe: ["/closed/{sub}"] }, "/closed/a"],
  ])("%s", async (_, of, path) => {
    const token = await tokenOf(of);
    const { status, said, headers } = await get(path, token);
    expect([status, said]).toEqual([200, "closed"]);
    expect(headers.get("Cache-Control")).toBe("private, no-cache");
    expect(headers.get("Vary")).toMatch(/Authorization, Cookie, Origin/);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(await subscribe(path, ["distributary.v1", `distributary.bearer.${token}`])).toMatchObject({
      first: { id: 0, ok: { position: expect.any(String) } },
      protocol: "distributary.v1",
    });
  });
});

describe("[T2] [T3] [T4] who asks without a right to it is told so, and whether the topic is there only if that may be known", () => {
  test.each<[string, TokenOf | undefined, string, number, string]>([
    ["nobody, of one for tokens", undefined, "/closed/a", 401, "no_token"],
    ["nobody, of one for nobody", undefined, "/off/a", 401, "no_token"],
    ["nobody, of none", undefined, "/none/a", 401, "no_token"],
    ["a token for others, of one for tokens", { subscribe: ["/open/*"] }, "/closed/a", 404, "unknown_topic"],
    ["a token that may know of it", { discover: ["/closed/*"] }, "/closed/a", 403, "forbidden"],
    ["a token, of one that all may know of", {}, "/known/a", 403, "forbidden"],
    ["a token for all, of one for nobody", { subscribe: ["/*"] }, "/off/a", 404, "unknown_topic"],
    ["a token for all, of none", { subscribe: ["/*"], discover: ["/*"] }, "/none/a", 404, "unknown_topic"],
    ["a token that has expired", { from: -600, until: -300, subscribe: ["/*"] }, "/closed/a", 401, "expired"],
    ["a token for later", { from: 300, subscribe: ["/*"] }, "/closed/a", 401, "not_yet_valid"],
    [
      "a token for others' audience",
      { audience: "x", subscribe: ["/*"] },
      "/closed/a",
      401,
      "wrong_audience",
    ],
    ["a token that has expired, of a public one", { from: -600, until: -300 }, "/open/a", 401, "expired"],
  ])("%s", async (_, of, path, status, code) => {
    const token = of && (await tokenOf(of));
    const answer = await get(path, token);
    expect([answer.status, answer.said]).toEqual([status, code]);
    if (status === 401)
      expect(answer.headers.get("WWW-Authenticate")).toMatch(/^Bearer realm="distributary"/);
    const operations = await edge.operations();
    const protocols = ["distributary.v1", ...(token === undefined ? [] : [`distributary.bearer.${token}`])];
    expect(await subscribe(path, protocols)).toMatchObject({
      reason: expect.stringMatching(new RegExp(`^${code}`)),
      protocol: "distributary.v1",
    });
    // No object was named, made or woken.
    const after = await edge.operations();
    for (const name of ["object_created.endpoint", "object_request.endpoint", "object_request.shard"])
      expect(after[name], name).toBe(operations[name]);
  });
});

test("public streams are read as before, with a token and without", async () => {
  const token = await tokenOf();
  expect(await get("/open/a")).toMatchObject({ status: 200, said: "open" });
  expect(await get("/open/a", token)).toMatchObject({ status: 200, said: "open" });
  expect(await subscribe("/open/a", [])).toMatchObject({ first: { id: 0 } });
  expect((await get("/open/a")).headers.get("Access-Control-Allow-Origin")).toBe("*");
});

test("[T2] streams are listed to those who may know of them", async () => {
  const topics = async (token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${edge.url}/$/streams`, { headers });
    return ((await answer.json()) as { streams: { topic: string }[] }).streams.map(({ topic }) => topic);
  };
  expect(await topics()).toEqual(["open", "known"]);
  expect(await topics(await tokenOf({ discover: ["/closed/*"] }))).toEqual(["open", "closed", "known"]);
});

test("[T1] two tokens at once are none, and one in a URL isn't there", async () => {
  const [one, other] = [
    await tokenOf({ subscribe: ["/*"], id: "1" }),
    await tokenOf({ subscribe: ["/*"], id: "2" }),
  ];

  expect(
    await subscribe("/closed/a", [
      "distributary.v1",
      ...[one, other].map((token) => `distributary.bearer.${token}`),
    ]),
  ).toMatchObject({
    code: CLOSE.invalid_token,
  });
  for (const name of ["token", "access_token"])
    expect(await get(`/closed/a?${name}=${one}`)).toMatchObject({ status: 401, said: "no_token" });
});

test("[T6] who was refused for a token doesn't come back by itself, and gets in with another", async () => {
  const protocols = (token: string) => ["distributary.v1", `distributary.bearer.${token}`];
  const refused = await subscribe("/closed/a", protocols(await tokenOf({ from: -600, until: -300 })));

  expect(refused).toMatchObject({ code: CLOSE.expired });
  for (const name of TOKEN_CLOSES) {
    expect(CLOSE[name], name).toBeGreaterThanOrEqual(4513);
    expect(CLOSE[name], name).toBeLessThanOrEqual(4520);
    expect(mayReconnect(CLOSE[name]), name).toBe(false);
  }
  expect(await subscribe("/closed/a", protocols(await tokenOf({ subscribe: ["/closed/*"] })))).toMatchObject({
    first: { id: 0, ok: {} },
  });
});

describe("[T5] where pages are listed", () => {
  const PAGE = "https://app.example.com";
  let listed: Deployment;

  beforeAll(async () => {
    listed = await Deployment.start({
      topics: { open: {}, closed: { stream: { subscribe: "token" } } },
      edgeEnv: { AUTH_ISSUERS, WEB_ORIGINS: PAGE, AUTH_COOKIE: "session" },
      before: written("open", "closed"),
    });
  });
  afterAll(() => listed.stop());

  const read = async (path: string, headers: Record<string, string>) => {
    const answer = await fetch(`${listed.url}${path}`, { headers });
    const body = (await answer.json()) as { error?: { code: string }; of?: string };
    return [body.error?.code ?? body.of, answer.headers.get("Access-Control-Allow-Origin")];
  };
  const watch = async (path: string, headers: Record<string, string>) => {
    const socket = new WebSocket(`${listed.url.replace("http", "ws")}${path}`, ["distributary.v1"], {
      headers,
    });
    try {
      return await Promise.race([
        once(socket, "message").then(() => "open"),
        once(socket, "close").then(([code]) => code),
      ]);
    } finally {
      socket.terminate();
    }
  };

  test("others are refused, public streams included", async () => {
    expect(await read("/open/a", { Origin: "https://evil.example" })).toEqual(["forbidden_origin", null]);
    expect(await watch("/open/a", { Origin: "https://evil.example" })).toBe(CLOSE.forbidden_origin);
    expect(await read("/open/a", { Origin: PAGE })).toEqual(["open", PAGE]);
    expect(await watch("/open/a", { Origin: PAGE })).toBe("open");
    expect(await read("/open/a", {})).toEqual(["open", null]);
  });

  test("the edge's own page subscribes, listed or not", async () => {
    expect(await watch("/open/a", { Origin: listed.url })).toBe("open");
    expect(await watch("/open/a", { Origin: listed.url.replace("http:", "https:") })).toBe(
      CLOSE.forbidden_origin,
    );
  });

  test("a cookie counts for them, and for nobody whom another site sent", async () => {
    const Cookie = `session=${await tokenOf({ subscribe: ["/closed/*"] })}`;

    expect(await watch("/closed/a", { Cookie, Origin: PAGE })).toBe("open");
    expect(await watch("/closed/a", { Cookie })).toBe(CLOSE.no_token);
    expect((await read("/closed/a", { Cookie, Origin: PAGE }))[0]).toBe("closed");
    expect((await read("/closed/a", { Cookie }))[0]).toBe("closed");
    expect((await read("/closed/a", { Cookie, "Sec-Fetch-Site": "cross-site" }))[0]).toBe("no_token");
  });
});

test("no token, nor a part of one, comes into a log", async () => {
  const token = await tokenOf({ from: -600, until: -300 });
  await get("/closed/a", token);
  await get("/closed/a", `${token.slice(0, -4)}AAAA`);
  await subscribe("/closed/a", ["distributary.v1", `distributary.bearer.${token}`]);
  const output = `${edge.edge?.output}${edge.origin?.output}`;
  for (const part of token.split(".")) expect(output).not.toContain(part.slice(0, 24));
});
