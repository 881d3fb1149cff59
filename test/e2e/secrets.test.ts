/**
 * Tokens, secrets and keys of every kind go through the whole product, good and bad ones, and through settings that are wrong:
 * nothing that anybody can see holds one, or a part of one.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sendAll } from "../support/attackers.ts";
import { type Child, Deployment, utf8 } from "../support/deployment.ts";
import { tokensAt } from "../support/hostile-tokens.ts";
import { Leaks } from "../support/leaks.ts";
import { freePort } from "../support/ports.ts";
import { Product, root } from "../support/product.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, type TokenOf, tokenOf } from "../support/tokens.ts";

const leaks = new Leaks();
/** What anybody sees, by where. */
const seen: [where: string, text: string][] = [];

function newSecret(what: string): string {
  const secret = randomBytes(36).toString("base64url");
  leaks.keep(what, secret);
  return secret;
}

async function newToken(what: string, of: TokenOf = {}): Promise<string> {
  const token = await tokenOf({ subscribe: ["/closed/*"], id: what, ...of });
  leaks.keepToken(what, token);
  return token;
}

const SHARED = newSecret("the shared secret of an issuer");
const QUERY = newSecret("a key in an issuer's URL");
const UPLINK = newSecret("an origin's key");
const PASSWORD = newSecret("a password of Kafka");
const ISSUERS = [
  ...(JSON.parse(AUTH_ISSUERS) as object[]),
  { issuer: "https://shared.example", audience: "distributary", secret: SHARED },
];
const KEY = `key-of-first:first:${UPLINK}`;

let edge: Deployment;
const said = new Map<Child | undefined, string>();
let folder: string;
let statusPort: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "distributary-secrets-"));
  statusPort = await freePort();
  const nobody = `http://127.0.0.1:${await freePort()}/jwks?key=${QUERY}`;
  const issuers = [...ISSUERS, { issuer: "https://down.example", audience: "distributary", jwksUrl: nobody }];
  edge = await Deployment.start({
    topics: { open: {}, closed: { stream: { subscribe: "token" } } },
    uplinkSecret: UPLINK,
    edgeEnv: { AUTH_ISSUERS: JSON.stringify(issuers), AUTH_COOKIE: "session" },
    originEnv: { STATUS_PORT: String(statusPort), LOG_LEVEL: "debug" },
  });
  // All that they say from now on: what is kept of it elsewhere is the end only.
  for (const child of [edge.edge, edge.origin]) {
    said.set(child, child?.output ?? "");
    for (const stream of [child?.process.stdout, child?.process.stderr])
      stream?.on("data", (data) => said.set(child, said.get(child) + String(data)));
  }
});
afterAll(async () => {
  await edge?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function get(url: string, headers: Record<string, string> = {}): Promise<void> {
  const answer = await fetch(url, { headers, redirect: "manual" });
  const { pathname } = new URL(url);
  seen.push([`the answer at ${pathname}`, `${[...answer.headers]}\n${await answer.text()}`]);
}

/** Dials, says what it says, and notes all that it hears. */
async function dial(path: string, headers: Record<string, string>, says: string[] = []): Promise<void> {
  const one = new RawSubscriber(`${edge.url.replace("http", "ws")}${path}`, headers);
  await one.until(
    ({ verdicts, closed }) => verdicts.length > 0 || closed !== undefined,
    "a verdict or a close",
  );
  for (const frame of says) {
    const before = one.others.length;
    one.send(frame);
    await one.until(({ others, closed }) => others.length > before || closed !== undefined, "an answer");
    if (one.closed !== undefined) break;
  }
  seen.push([`what a socket heard of ${path}`, JSON.stringify([one.others, one.verdicts, one.closed])]);
  one.cut();
}

/** So long what would run on is left to. */
const RUNS_MS = 8_000;

/** A command to its end; what it is meant to print, a token, is left out. */
async function run(args: readonly string[], env: Record<string, string>, isMeant = false): Promise<string> {
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env } });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => (stderr += data));
  const timer = setTimeout(() => child.kill("SIGTERM"), RUNS_MS);
  await once(child, "close");
  clearTimeout(timer);
  seen.push([`what ${args[0]} says`, isMeant ? stderr : `${stdout}\n${stderr}`]);
  return stdout.trim();
}

test("tokens that are taken, refused and renewed", async () => {
  const closed = `${edge.url}/closed/a`;
  edge.produce("closed", [{ key: utf8("a"), value: utf8("1") }]);
  const good = await newToken("a good token");
  const bad = {
    expired: await newToken("an expired token", { from: -600, until: -300 }),
    later: await newToken("a token for later", { from: 300 }),
    audience: await newToken("a token for others", { audience: "x" }),
    issuer: await newToken("a token of a stranger", { issuer: "https://stranger.example" }),
    kid: await newToken("a token of an unknown key", { kid: "no" }),
    down: await newToken("a token whose issuer is down", { issuer: "https://down.example" }),
    forbidden: await newToken("a token for something else", { subscribe: ["/x/*"], discover: ["/closed/*"] }),
    forged: `${good.slice(0, -6)}AAAAAA`,
  };
  const shared = await new SignJWT({ distributary: { subscribe: ["/closed/*"] } })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("https://shared.example")
    .setAudience("distributary")
    .setSubject("bob")
    .setIssuedAt()
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(SHARED));
  leaks.keepToken("a token by a shared secret", shared);
  const hostile = tokensAt(Math.floor(Date.now() / 1_000));
  const others = [...hostile.beforeAKey, ...hostile.afterAKey].map(([, token]) => hostile.make(token));
  for (const token of others) leaks.keepToken("a hostile token", token);

  for (const token of [good, shared, ...Object.values(bad), ...others]) {
    if (/[^\x21-\x7e]/.test(token)) continue;
    for (const headers of [{ Authorization: `Bearer ${token}` }, { Cookie: `session=${token}` }])
      await get(closed, headers);
    await dial("/closed/a", { Authorization: `Bearer ${token}` });
  }
  await get(`${edge.url}/$/streams`, { Authorization: `Bearer ${good}` });
  await get(`${edge.url}/closed/a?token=${good}`);
  await get(`${edge.url}/none/a?access_token=${good}`);
  await dial(`/closed/a?token=${good}`, {});
  const renewals = [...Object.values(bad), shared, await newToken("a later token", { until: 1_200 })];
  const frames = renewals.map((token, i) => JSON.stringify({ id: i + 1, token }));
  await dial("/closed/a", { Authorization: `Bearer ${good}` }, frames);
  for (const frame of [
    `{"id":"x","token":"${good}"}`,
    `{"id":1,"token":["${good}"]}`,
    `{"token":"${good}`,
    good,
  ])
    await dial("/closed/a", { Authorization: `Bearer ${good}` }, [frame]);
}, 240_000);

test("keys of origins, right and wrong", async () => {
  const wrong = newSecret("a wrong key of an origin");
  const claims = [
    { kid: "key-of-first", name: "first", secret: wrong },
    { kid: "unknown", name: "first", secret: wrong },
    { kid: "key-of-first", name: "second", secret: UPLINK },
    { kid: "key-of-first", name: "first", secret: UPLINK, life: 3_600 },
    { kid: "key-of-first", name: "first", secret: UPLINK, life: -60 },
  ];
  for (const claim of claims) {
    const token = await ScriptedOrigin.token(claim);
    leaks.keepToken("an origin's token", token);
    const headers = { Authorization: `Bearer ${token}` };
    await get(`${edge.url}/$/uplink`, headers);
    await sendAll(`${edge.url.replace("http", "ws")}/$/uplink?shard=0`, ["distributary.uplink.v1"], headers, [
      "x",
    ]);
  }
  const base = { EDGE_URL: edge.url, DATA_DIR: join(folder, "origin"), LOG_LEVEL: "debug" };
  await run(["origin/main.ts"], { ...base, UPLINK_KEY: `key-of-first:first:${wrong}` });
  const keys = [
    UPLINK,
    `k1:${UPLINK}`,
    `${KEY},${KEY}`,
    `k 1:first:${UPLINK}`,
    `k1:first:${UPLINK.slice(0, 20)}`,
    `${UPLINK}:first:k1`,
    `${UPLINK}:first`,
  ];
  const tried = keys.map(async (UPLINK_KEY, i) => {
    await run(["origin/main.ts"], { ...base, UPLINK_KEY });
    const own = { PORT: String(await freePort()), DATA_DIR: join(folder, `edge-${i}`) };
    await run(["edge/local/serve.ts"], { ...own, UPLINK_KEYS: UPLINK_KEY });
  });
  await Promise.all(tried);
}, 400_000);

test("issuers that are set wrong", async () => {
  const [good = {}] = ISSUERS;
  const settings = [
    `[{"issuer":"a","audience":"b","secret":"${SHARED}"`,
    JSON.stringify([{ issuer: "a", audience: "b", secret: SHARED.slice(0, 24) }]),
    JSON.stringify([{ issuer: "a", audience: "b", secret: SHARED, jwksUrl: "https://a.example" }]),
    JSON.stringify([{ ...good, [SHARED]: 1 }]),
    JSON.stringify({ secret: SHARED }),
    JSON.stringify([{ issuer: "a", audience: "b", jwksUrl: `https://user:${SHARED}@a.example/` }]),
    JSON.stringify([{ issuer: "a", audience: "b", jwksUrl: `ftp://a.example/${SHARED}` }]),
  ];
  const env = { EDGE_URL: edge.url, UPLINK_KEY: KEY, DATA_DIR: join(folder, "issuers") };
  const tried = settings.map(async (AUTH_ISSUERS, i) => {
    const ACCESS_TOKEN = await newToken("a token for the doctor");
    await run(["doctor/main.ts"], { ...env, AUTH_ISSUERS, ACCESS_TOKEN });
    const own = { PORT: String(await freePort()), DATA_DIR: join(folder, `issuers-${i}`) };
    await run(["edge/local/serve.ts"], { ...own, AUTH_ISSUERS, UPLINK_KEYS: KEY });
  });
  await Promise.all(tried);
}, 400_000);

test("Kafka's password, with brokers that hang up, or say again what they hear", async () => {
  const brokers = [
    createServer((socket) => socket.end()),
    createServer((socket) => socket.on("error", () => {}).pipe(socket)),
  ];
  for (const broker of brokers) await once(broker.listen(0, "127.0.0.1"), "listening");
  const runs = brokers.flatMap((broker, i) =>
    ["plain", "scram-sha-256"].map(async (KAFKA_SASL_MECHANISM) => {
      const env = {
        EDGE_URL: edge.url,
        UPLINK_KEY: KEY,
        DATA_DIR: join(folder, `kafka-${i}-${KAFKA_SASL_MECHANISM}`),
        KAFKA_BROKERS: `127.0.0.1:${(broker.address() as AddressInfo).port}`,
        KAFKA_SASL_MECHANISM,
        KAFKA_SASL_USERNAME: "user",
        KAFKA_SASL_PASSWORD: PASSWORD,
        LOG_LEVEL: "debug",
      };
      for (const script of ["doctor/main.ts", "origin/main.ts"]) await run([script], env);
    }),
  );
  await Promise.all(runs);
  for (const broker of brokers) broker.close();
}, 400_000);

test("npm start --private, and npm run token", async () => {
  const dataDir = join(folder, "start");
  const port = String(await freePort());
  const product = new Product(["--port", port, "--data-dir", dataDir, "--private"]);
  try {
    const greeting = await product.ready();
    const [pasted = ""] = /eyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(greeting) ?? [];
    leaks.keepToken("the token of npm start", pasted);
    leaks.keep(
      "the local issuer's key",
      readFileSync(join(dataDir, "local-issuer.pem"), "utf8").split("\n").slice(1, -2).join(""),
    );
    const args = ["edge/local/token.ts", "--data-dir", dataDir, "--subject", "alice", "--subscribe", "/*"];
    const minted = await run(args, {}, true);
    leaks.keepToken("a token of npm run token", minted);
    for (const token of [pasted, minted]) {
      await get(`http://127.0.0.1:${port}/flights/ATL`, { Authorization: `Bearer ${token}` });
      await get(`http://127.0.0.1:${port}/$/streams`, { Authorization: `Bearer ${token}x` });
      await run(["doctor/main.ts", "--data-dir", dataDir, "--token", token], {
        EDGE_URL: edge.url,
        UPLINK_KEY: KEY,
      });
    }
    await run(
      ["edge/local/token.ts", "--data-dir", dataDir, "--subject", "a", "--subscribe", "x", "--expires", "9y"],
      {},
    );
    // What it prints is for whoever started it, and holds the token that is to be pasted; that is left out here.
    seen.push(["what npm start says", product.stderr + product.stdout.replaceAll(pasted, "")]);
  } finally {
    await product.stop();
  }
  for (const [where, text] of filesIn(dataDir))
    if (!where.endsWith("local-issuer.pem")) seen.push([where, text]);
}, 240_000);

test("none of all this stands in an answer, a log, a metric or a file, nor a part of it", async () => {
  await get(`${edge.url}/$/health`);
  await get(`${edge.url}/$/operations`);
  for (const path of ["metrics", "readyz", "healthz"]) await get(`http://127.0.0.1:${statusPort}/${path}`);
  seen.push(["the edge's log", said.get(edge.edge) ?? ""], ["the origin's log", said.get(edge.origin) ?? ""]);
  for (const one of filesIn(edge.dataDir)) seen.push(one);
  for (const one of filesIn(folder)) if (!one[0].endsWith("local-issuer.pem")) seen.push(one);

  const text = new Map(seen);
  for (const expected of [
    "the edge's log",
    "the answer at /metrics",
    "the answer at /closed/a",
    "what doctor/main.ts says",
  ])
    expect(text.get(expected), expected).toBeTruthy();
  expect(seen.filter(([where]) => /\.sqlite/.test(where)).length).toBeGreaterThan(0);
  // It would be seen.
  expect(leaks.in("a test", `x${PASSWORD.slice(3, 15)}x`)).toHaveLength(1);
  expect(seen.flatMap(([where, one]) => leaks.in(where, one))).toEqual([]);
}, 120_000);

function filesIn(under: string): [string, string][] {
  return readdirSync(under, { recursive: true, encoding: "utf8" }).flatMap((name): [string, string][] => {
    const file = join(under, name);
    return statSync(file).isFile() ? [[file, readFileSync(file, "latin1")]] : [];
  });
}
