/**
 * Tokens of attackers on a real edge, carried in every way: each is refused with its code, costs nothing but the request
 * itself, and touches nobody else.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { CLOSE } from "../../shared/protocol/codes.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import {
  AUDIENCES,
  type Hostile,
  ISSUER,
  LIFETIME_SECONDS,
  SECRET,
  SET,
  SHARED,
  tokensAt,
} from "../support/hostile-tokens.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";

const PATH = "/closed/a";
const PAGE = "https://app.example.com";
/** At least so far apart are two questions for keys. */
const PAUSE_MS = 30_000;

/** What a request that comes further than the Worker would count. */
const WORK = [
  "object_created.endpoint",
  "object_created.shard",
  "object_request.endpoint",
  "object_request.shard",
  "rpc.shard",
  "verdict.window",
  "verdict.index",
  "verdict.log",
  "verdict.fresh",
  "verdict.lost",
];

/** The issuer, and whatever else a token names: what was asked for there. */
const asked: string[] = [];
const server = createServer(({ url = "" }, response) => {
  asked.push(url);
  response.end(JSON.stringify(SET));
});
let elsewhere: string;
let edge: Deployment;
/** Those who were there before. */
let witnesses: RawSubscriber[];
let written = 0;
let firstAskedAt = 0;

const now = () => Math.floor(Date.now() / 1_000);
const tokens = () => tokensAt(now(), elsewhere);
const good = () => tokens().make(tokens().granting({ subscribe: ["/closed/*"] }));

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  elsewhere = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const common = { audience: AUDIENCES, lifetimeSeconds: LIFETIME_SECONDS };
  const issuers = [
    { ...common, issuer: ISSUER, jwksUrl: `${elsewhere}/jwks` },
    { ...common, issuer: SHARED, secret: SECRET },
  ];
  edge = await Deployment.start({
    topics: { open: {}, closed: { stream: { subscribe: "token" } } },
    edgeEnv: { AUTH_ISSUERS: JSON.stringify(issuers), AUTH_COOKIE: "session", WEB_ORIGINS: PAGE },
  });
  witnesses = [edge.subscribe("/open/a")];
  for (const one of witnesses) await one.verdict();
});
afterAll(async () => {
  for (const one of witnesses ?? []) one.cut();
  await edge?.stop();
  server.close();
});

/** An update for everybody who was there, which keeps their objects awake, too. */
async function append(): Promise<void> {
  written++;
  for (const topic of ["open", "closed"])
    edge.produce(topic, [{ key: utf8("a"), value: utf8(`${written}`) }]);
  for (const one of witnesses) await one.until(({ updates }) => updates.length >= written, "an update");
}

async function work(): Promise<number[]> {
  const counts = await edge.operations();
  return WORK.map((name) => counts[name] ?? Number.NaN);
}

async function get(headers: Record<string, string>): Promise<string> {
  const answer = await fetch(`${edge.url}${PATH}`, { headers });
  const { error } = (await answer.json()) as { error: { code: string; message: string } };
  if (error.code === "unavailable") {
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("Retry-After"))).toBeLessThanOrEqual(PAUSE_MS / 1_000);
    return error.code;
  }
  expect(answer.status).toBe(401);
  expect(answer.headers.get("WWW-Authenticate")).toContain(`error_description="${error.code}"`);
  return error.code;
}

async function dial(protocols: string[], headers: Record<string, string> = {}): Promise<unknown[]> {
  const socket = new WebSocket(`${edge.url.replace("http", "ws")}${PATH}`, protocols, { headers });
  const [code, reason] = await once(socket, "close");
  return [code, String(reason).split(":")[0]];
}

/** Whether it can be written where headers are; of the others a client could send no byte. */
const isWord = (token: string) => /^[A-Za-z0-9._-]+$/.test(token);

/** A key that there isn't may be new: while its issuer can't be asked again, its token is only put off. */
const toldOf = (fault: Hostile[2], isOfAKey: boolean) =>
  isOfAKey && fault === "unknown_signer" ? [fault, "unavailable" as const] : [fault];

async function refusedEverywhere([, token, fault]: Hostile, isOfAKey: boolean): Promise<void> {
  const text = tokens().make(token);
  const before = await work();
  const told = toldOf(fault, isOfAKey);
  const closes = told.map((code) => [CLOSE[code], code]);
  if (!text.includes("\n")) {
    expect(told).toContain(await get({ Authorization: `Bearer ${text}` }));
    expect(closes).toContainEqual(await dial(["distributary.v1"], { Authorization: `Bearer ${text}` }));
  }
  // A cookie that is empty was cleared, and is none.
  if (!text.includes("\n") && text !== "") {
    expect(told).toContain(await get({ Cookie: `session=${text}` }));
    expect(closes).toContainEqual(
      await dial(["distributary.v1"], { Cookie: `session=${text}`, Origin: PAGE }),
    );
  }
  if (isWord(text))
    expect(closes).toContainEqual(await dial(["distributary.v1", `distributary.bearer.${text}`]));
  expect(await work()).toEqual(before);
  await append();
}

const { beforeAKey, afterAKey } = tokensAt(now());

test("there are more than 60 of them", () => {
  expect(beforeAKey.length + afterAKey.length).toBeGreaterThan(60);
});

describe("[T1] [T3] refused before a key is asked for: a token that", () => {
  test.each(beforeAKey.map(([what], i) => [what, i] as const))("%s", async (_, i) => {
    const one = tokens().beforeAKey[i];
    if (one === undefined) throw new Error("there is no such token");
    await refusedEverywhere(one, false);
    expect(asked).toEqual([]);
  });
});

describe("[T1] [T3] refused with the keys that are known: a token that", () => {
  beforeAll(async () => {
    firstAskedAt = Date.now();
    const headers = { Authorization: `Bearer ${good()}` };
    const alice = new RawSubscriber(`${edge.url.replace("http", "ws")}${PATH}?from=oldest`, headers);
    await alice.verdict();
    witnesses.push(alice);
    expect(asked).toEqual(["/jwks"]);
  });

  test.each(afterAKey.map(([what], i) => [what, i] as const))("%s", async (_, i) => {
    const one = tokens().afterAKey[i];
    if (one === undefined) throw new Error("there is no such token");
    await refusedEverywhere(one, true);
    expect(asked.every((url) => url === "/jwks")).toBe(true);
    expect(asked.length).toBeLessThanOrEqual(1 + (Date.now() - firstAskedAt) / PAUSE_MS);
  });
});

test("[S18] in band each is refused with its code, and its socket goes on with the token that it has", async () => {
  const all = [...tokens().beforeAKey, ...tokens().afterAKey];
  /** As many as a socket may renew at once. */
  for (let at = 0; at < all.length; at += 20) {
    const headers = { Authorization: `Bearer ${good()}` };
    const alice = new RawSubscriber(`${edge.url.replace("http", "ws")}${PATH}`, headers);
    await alice.verdict();
    for (const [i, [what, token, fault]] of all.slice(at, at + 20).entries()) {
      alice.send({ id: i + 1, token: tokens().make(token) });
      await alice.until(({ others }) => others.some(({ id }) => id === i + 1), `an answer to what ${what}`);
      const { id, error } = alice.others.at(-1) as { id: number; error: { code: string } };
      expect(id, what).toBe(i + 1);
      expect(toldOf(fault, at + i >= tokens().beforeAKey.length), what).toContain(error.code);
    }
    await append();
    await alice.until(({ updates }) => updates.length > 0, "an update");
    expect(alice.closed).toBeUndefined();
    alice.cut();
  }
  expect(asked.every((url) => url === "/jwks")).toBe(true);
});

test("those who were there missed nothing, and nobody closed them", () => {
  for (const { updates, violations, closed, resets } of witnesses) {
    expect(updates.map(({ value }) => Number(value))).toEqual(
      Array.from({ length: written }, (_, i) => i + 1),
    );
    expect([violations, closed, resets]).toEqual([[], undefined, []]);
  }
});
