/**
 * The edge in a real runtime, workerd unless RUNTIME says otherwise, with hooks that production has not: objects can be evicted and crashed. The
 * page is left out, so that nothing has to be built.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RUNTIME, startOn } from "./runtimes.ts";

const root = join(import.meta.dirname, "../..");
/** Those that may come; what a scripted one is called unless a test says otherwise comes first. */
const ORIGINS = ["scripted", "active", "standby"] as const;

/** The key of an origin, for an edge that knows it or for one that doesn't. */
export function edgeKeyOf(name: string) {
  return { kid: `key-of-${name}`, name, secret: `a-secret-of-32-bytes-or-more-for-${name}` };
}

/** The edge's UPLINK_KEYS. */
export const EDGE_KEYS = ORIGINS.map((origin) => {
  const { kid, name, secret } = edgeKeyOf(origin);
  return `${kid}:${name}:${secret}`;
}).join(",");

/** A header whose principal, in JSON, the Worker takes for that of the request. */
export const MADE_BY_HAND = "Test-Principal";

const ENTRY = `
import { createApp } from "${root}/edge/http/app.ts";
import { ShardObject as Shard } from "${root}/edge/shard/shard-object.ts";
import { EndpointObject as Endpoint } from "${root}/edge/endpoint/endpoint-object.ts";
import { RelayObject as Relay } from "${root}/edge/relay/relay-object.ts";
import { accessOf } from "${root}/edge/access/access.ts";
let behindMs = 0;
const { now: machines } = Date;
Date.now = () => machines() - behindMs;
let shards;
const now = (env) => (shards === undefined ? env : { ...env, SHARDS: shards });
export class EndpointObject extends Endpoint {
  constructor(ctx, env) { super(ctx, now(env)); }
  async attachments() { return this.ctx.getWebSockets("subscriber").map((one) => one.deserializeAttachment()); }
}
export class RelayObject extends Relay {
  constructor(ctx, env) { super(ctx, now(env)); }
  async crash() { this.ctx.abort("crashed by a test"); }
}
export class ShardObject extends Shard {
  constructor(ctx, env) { super(ctx, now(env)); }
  async rows() { return this.ctx.storage.sql.exec("SELECT identity FROM objects").toArray().map((row) => row.identity); }
  async crash() { this.ctx.abort("crashed by a test"); }
  async latest(path, principal, brief) {
    this.asker = principal;
    return super.latest(path, principal, brief);
  }
  async lastAsker() { return this.asker; }
  async failOnce(how) { this.fails = how; }
  async tellNothing(nothing) { this.tellsNothing = nothing; }
  async revocations(issuer) {
    if (this.tellsNothing && issuer === undefined) throw new Error("it tells no shard, for a test");
    return super.revocations(issuer);
  }
  async revoke(revocation) {
    const { fails } = this;
    this.fails = undefined;
    if (fails === "full") return false;
    if (fails) throw new Error("it fails for a test");
    return super.revoke(revocation);
  }
}
const made = (headers) => JSON.parse(headers.get("${MADE_BY_HAND}") ?? "null");
const app = createApp(new Map([["/$/", () => new Response("the page")]]), async (env) => {
  const access = await accessOf(env);
  const identify = async (headers, upgrade, keepAlive) => {
    const principal = made(headers);
    if (principal === null) return access.identify(headers, upgrade, keepAlive);
    return { ok: true, known: { principal, grants: undefined, tokensCount: false } };
  };
  return { rules: access.rules, identify };
}, (env) => (env.CACHE === "on" ? caches.default : undefined));
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/test/attachments")
      return Response.json(await env.ENDPOINT.get(env.ENDPOINT.idFromName(searchParams.get("path"))).attachments());
    if (pathname === "/test/rows")
      return Response.json(await env.SHARD.get(env.SHARD.idFromName(searchParams.get("shard"))).rows());
    if (pathname === "/test/last-asker")
      return Response.json((await env.SHARD.get(env.SHARD.idFromName("shard-0")).lastAsker()) ?? null);
    if (pathname === "/test/fail-once")
      return Response.json(await env.SHARD.get(env.SHARD.idFromName(searchParams.get("shard"))).failOnce(searchParams.get("how")) ?? null);
    if (pathname === "/test/tell-nothing")
      return Response.json(await env.SHARD.get(env.SHARD.idFromName("shard-0")).tellNothing(searchParams.has("on")) ?? null);
    if (pathname === "/test/clock") {
      behindMs = Number(searchParams.get("behind"));
      return Response.json(null);
    }
    if (pathname === "/test/shards") {
      shards = searchParams.get("count");
      return Response.json(null);
    }
    if (pathname === "/test/crash-relay") {
      const id = env.RELAY.idFromName(searchParams.get("name"));
      await env.RELAY.get(id).crash().catch(() => {});
      return Response.json(null);
    }
    const crash = /^\\/test\\/crash\\/(\\d+)$/.exec(pathname);
    // The harness would say that all come from one place.
    if (!crash) return app.fetch(new Request(request, { cf: {} }), now(env), ctx);
    const id = env.SHARD.idFromName("shard-" + crash[1]);
    await env.SHARD.get(id).crash().catch(() => {});
    return new Response("crashed");
  },
};
`;

export interface TestEdge {
  readonly url: string;
  /** The same for WebSockets. */
  readonly wsUrl: string;
  /** Takes an endpoint's object out of memory; its sockets stay, as in a hibernation, or break. */
  evict(path: string, webSockets?: "hibernate" | "close"): Promise<void>;
  /** Takes a relay out of memory; its sockets stay, as in a hibernation, or break. */
  evictRelay(name: string, webSockets?: "hibernate" | "close"): Promise<void>;
  /** Ends a relay as a fault of the platform does: memory and sockets are gone, its rows stay. */
  crashRelay(name: string): Promise<void>;
  /** Takes a shard out of memory, as a hibernation does: its uplinks stay. */
  evictShard(shard: number): Promise<void>;
  /** Ends a shard as a fault of the platform does: memory and sockets are gone, its rows stay. */
  crashShard(shard: number): Promise<void>;
  /** Sets the edge's clock behind that of the machine; what the runtime itself notes, such as pings, is by that. */
  setBehind(ms: number): Promise<void>;
  /** From now on there are so many shards, as after a deployment; until they end those that run know it by no means. */
  setShards(count: number): Promise<void>;
  /** The next revocation isn't stored at a shard, which says nothing of it, or that it is full. */
  failRevocation(shard: number, how?: "silent" | "full"): Promise<void>;
  /** Whether the first shard tells others of no revocations. */
  tellNothing(nothing: boolean): Promise<void>;
  /** What the sockets of an endpoint's subscribers hold over a hibernation. */
  attachments(path: string): Promise<readonly Record<string, unknown>[]>;
  /** Which objects a shard has noted. */
  rows(shard: number): Promise<readonly string[]>;
  /** The principal, encoded, with which the first shard was asked for a latest record the last time; null for none. */
  lastAsker(): Promise<string | null>;
  /** Counters of /$/operations. */
  operations(): Promise<Record<string, number>>;
  /** What the edge has logged. */
  logs(): string[];
  close(): Promise<void>;
}

export async function startEdge(vars: Record<string, string> = {}): Promise<TestEdge> {
  const folder = mkdtempSync(join(tmpdir(), "edge-"));
  const main = join(folder, "entry.js");
  writeFileSync(main, ENTRY);
  const started = await startOn(RUNTIME, {
    main,
    objects: { SHARD: "ShardObject", ENDPOINT: "EndpointObject", RELAY: "RelayObject" },
    vars: {
      SHARDS: "2",
      // Most tests are about the objects of endpoints: keys without a record have theirs.
      ROOMS: "0",
      UPLINK_KEYS: EDGE_KEYS,
      OPERATIONS: "on",
      DETAILS: "on",
      ...vars,
    },
  });
  const { url: origin } = started;
  return {
    url: origin,
    wsUrl: origin.replace("http", "ws"),
    evict: (path, webSockets = "hibernate") => started.evict("EndpointObject", path, webSockets),
    evictRelay: (name, webSockets = "hibernate") => started.evict("RelayObject", name, webSockets),
    crashRelay: async (name) => {
      await fetch(`${origin}/test/crash-relay?name=${name}`);
    },
    evictShard: (shard) => started.evict("ShardObject", `shard-${shard}`),
    crashShard: async (shard) => {
      await fetch(`${origin}/test/crash/${shard}`);
    },
    setBehind: async (ms) => {
      await fetch(`${origin}/test/clock?behind=${ms}`);
    },
    setShards: async (count) => {
      await fetch(`${origin}/test/shards?count=${count}`);
    },
    failRevocation: async (shard, how = "silent") => {
      await fetch(`${origin}/test/fail-once?shard=shard-${shard}&how=${how}`);
    },
    tellNothing: async (nothing) => {
      await fetch(`${origin}/test/tell-nothing${nothing ? "?on" : ""}`);
    },
    attachments: async (path) =>
      (await fetch(`${origin}/test/attachments?path=${encodeURIComponent(path)}`)).json() as Promise<
        Record<string, unknown>[]
      >,
    rows: async (shard) =>
      (await fetch(`${origin}/test/rows?shard=shard-${shard}`)).json() as Promise<string[]>,
    lastAsker: async () => (await fetch(`${origin}/test/last-asker`)).json() as Promise<string | null>,
    operations: async () => (await fetch(`${origin}/$/operations`)).json() as Promise<Record<string, number>>,
    logs: () => started.logs(),
    close: async () => {
      await started.close();
      rmSync(folder, { recursive: true });
    },
  };
}
