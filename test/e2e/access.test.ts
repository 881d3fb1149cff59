/** Streams that are for tokens, on a real edge: over HTTP, WebSocket and from a page. */
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Deployment, utf8 } from "../support/deployment.ts";
import { AUTH_ISSUERS, type TokenOf, tokenOf } from "../support/tokens.ts";

let edge: Deployment;

beforeAll(async () => {
  edge = await Deployment.start({
    topics: {
      open: {},
      closed: { stream: { subscribe: "token" } },
      known: { stream: { subscribe: "token", discover: "public" } },
      off: { stream: { subscribe: "nobody" } },
    },
    edgeEnv: { AUTH_ISSUERS },
  });
  for (const topic of ["open", "closed", "known", "off"])
    edge.produce(topic, [{ key: utf8("a"), value: utf8(`{"of":"${topic}"}`) }]);
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
      once(socket, "message").then(([data]) => ({ first: JSON.parse(String(data)), protocol: socket.protocol })),
      once(socket, "close").then(([code, reason]) => ({ code, reason: String(reason), protocol: socket.protocol })),
    ]);
  } finally {
    socket.terminate();
  }
}

describe("a stream for tokens is read", () => {
  test.each<[string, TokenOf, string]>([
    ["by its pattern", { subscribe: ["/closed/*"] }, "/closed/a"],
    ["by its path", { subscribe: ["/closed/a"] }, "/closed/a"],
    ["by a claim", { subject: "a", subscribe: ["/closed/{sub}"] }, "/closed/a"],
  ])("%s", async (_, of, path) => {
    const token = await tokenOf(of);
    const { status, said, headers } = await get(path, token);
    expect([status, said]).toEqual([200, "closed"]);
    expect(headers.get("Cache-Control")).toBe("private, no-cache");
    expect(headers.get("Vary")).toContain("Authorization");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(await subscribe(path, ["distributary.v1", `distributary.bearer.${token}`])).toMatchObject({
      first: { id: 0, ok: { position: expect.any(String) } },
      protocol: "distributary.v1",
    });
  });
});

describe("who asks without a right to it is told so, and whether the topic is there only if that may be known", () => {
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
    ["a token for others' audience", { audience: "x", subscribe: ["/*"] }, "/closed/a", 401, "wrong_audience"],
    ["a token that has expired, of a public one", { from: -600, until: -300 }, "/open/a", 401, "expired"],
  ])("%s", async (_, of, path, status, code) => {
    const token = of && (await tokenOf(of));
    const answer = await get(path, token);
    expect([answer.status, answer.said]).toEqual([status, code]);
    if (status === 401) expect(answer.headers.get("WWW-Authenticate")).toMatch(/^Bearer realm="distributary"/);
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

test("streams are listed to those who may know of them", async () => {
  const topics = async (token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${edge.url}/$/streams`, { headers });
    return ((await answer.json()) as { streams: { topic: string }[] }).streams.map(({ topic }) => topic);
  };
  expect(await topics()).toEqual(["open", "known"]);
  expect(await topics(await tokenOf({ discover: ["/closed/*"] }))).toEqual(["open", "closed", "known"]);
});

test("no token, nor a part of one, comes into a log", async () => {
  const token = await tokenOf({ from: -600, until: -300 });
  await get("/closed/a", token);
  await get("/closed/a", `${token.slice(0, -4)}AAAA`);
  await subscribe("/closed/a", ["distributary.v1", `distributary.bearer.${token}`]);
  const output = `${edge.edge?.output}${edge.origin?.output}`;
  for (const part of token.split(".")) expect(output).not.toContain(part.slice(0, 24));
});
