/**
 * Which object does what: A7 of INTERNALS.md. And how the Worker, the shards and the objects address one
 * another inside the edge; none of these requests can come from outside.
 */
import { shardOf } from "../shared/protocol/address.ts";
import { formatPosition, type Position, parseLongPosition } from "../shared/protocol/position.ts";
import type { Env, ShardCalls } from "./env.ts";
import { type ObjectIdentity, pathOf } from "./object-identity.ts";
import { encodePrincipal, type Principal, readPrincipal } from "./principal.ts";

const MAX_SHARDS = 64;
/** Longer names aren't known to the object itself. */
const MAX_NAME_BYTES = 1_024;
/** Left out for "public". */
const PRINCIPAL = "Distributary-Principal";

/** undefined if the setting isn't a whole number from 1 to 64. */
function shardCount(env: Pick<Env, "SHARDS">): number | undefined {
  const shards = Number(env.SHARDS);
  return Number.isInteger(shards) && shards >= 1 && shards <= MAX_SHARDS ? shards : undefined;
}

/** Throws if the number of shards isn't set as it must be. */
export function requireShards(env: Pick<Env, "SHARDS">): number {
  const shards = shardCount(env);
  if (shards === undefined) throw new Error(`SHARDS must be a whole number from 1 to ${MAX_SHARDS}`);
  return shards;
}

export function shardStub(env: Env, shard: number): DurableObjectStub<ShardCalls> {
  return env.SHARD.get(env.SHARD.idFromName(shardName(shard)));
}

/** The shard that carries an endpoint. */
export function shardStubOf(env: Env, path: string): DurableObjectStub<ShardCalls> {
  return shardStub(env, shardOf(path, requireShards(env)));
}

export function shardName(shard: number): string {
  return `shard-${shard}`;
}

/** undefined if the name is none of a shard. */
export function shardOfName(name: string | undefined): number | undefined {
  const digits = /^shard-(\d{1,2})$/.exec(name ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The name of an endpoint's object. A canonical path is ASCII, so that its length is its size. */
export async function objectName(path: string): Promise<string> {
  if (path.length <= MAX_NAME_BYTES) return path;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(path)));
  return `#${Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Whose an uplink is, which the Worker has verified. */
export interface UplinkHolder {
  /** Of the origin. */
  readonly name: string;
  /** What its key may speak for, as text; undefined: for all. */
  readonly scope: string | undefined;
}

export function uplinkRequest({ name, scope }: UplinkHolder): Request {
  const query = new URLSearchParams({ origin: name, ...(scope !== undefined && { scope }) });
  return new Request(`https://shard/uplink?${query}`, { headers: { Upgrade: "websocket" } });
}

/** undefined if it is no such request. */
export function readUplinkRequest(request: Request): UplinkHolder | undefined {
  const query = new URL(request.url).searchParams;
  const name = query.get("origin");
  if (request.headers.get("Upgrade") !== "websocket" || name === null) return undefined;
  return { name, scope: query.get("scope") ?? undefined };
}

export type ObjectRequest =
  | {
      readonly kind: "subscribe";
      readonly path: string;
      readonly from: Position | undefined;
      readonly principal: Principal;
    }
  | { readonly kind: "link"; readonly path: string };

/** `protocol` is the WebSocket subprotocol to answer with, if the client offered it. */
function subscribeRequest(
  path: string,
  from: Position | undefined,
  protocol: string | undefined,
  principal: Principal,
): Request {
  const query = new URLSearchParams({ path });
  if (from !== undefined) query.set("from", formatPosition(from));
  const headers = new Headers({ Upgrade: "websocket" });
  if (protocol !== undefined) headers.set("Sec-WebSocket-Protocol", protocol);
  const encoded = encodePrincipal(principal);
  if (encoded !== undefined) headers.set(PRINCIPAL, encoded);
  return new Request(`https://object/subscribe?${query}`, { headers });
}

/** Asks an object to take a subscriber. No signal goes along: with one, it would stay in memory as long as the socket lives. */
export async function openSubscription(
  env: Env,
  path: string,
  ...how: [from: Position | undefined, protocol: string | undefined, principal: Principal]
): Promise<Response> {
  const id = env.ENDPOINT.idFromName(await objectName(path));
  return env.ENDPOINT.get(id).fetch(subscribeRequest(path, ...how));
}

/** Asks an object for a link (L1). */
export async function openLink(env: Env, object: ObjectIdentity): Promise<Response> {
  const path = pathOf(object);
  const stub = env.ENDPOINT.get(env.ENDPOINT.idFromName(await objectName(path)));
  return stub.fetch(linkRequest(path));
}

function linkRequest(path: string): Request {
  const query = new URLSearchParams({ path });
  return new Request(`https://object/link?${query}`, { headers: { Upgrade: "websocket" } });
}

/** undefined if it is none that this version knows. Throws if its principal can't be read. */
export function readObjectRequest(request: Request): ObjectRequest | undefined {
  const url = new URL(request.url);
  const path = url.searchParams.get("path");
  const from = url.searchParams.get("from");
  if (path === null || request.headers.get("Upgrade") !== "websocket") return undefined;
  if (url.pathname === "/link") return { kind: "link", path };
  if (url.pathname !== "/subscribe") return undefined;
  return {
    kind: "subscribe",
    path,
    from: from === null ? undefined : parseLongPosition(from),
    principal: readPrincipal(request.headers.get(PRINCIPAL)),
  };
}
