/**
 * Which object does what: A7 of INTERNALS.md. And how the Worker, the shards and the objects address one
 * another inside the edge; none of these requests can come from outside.
 */
import { shardOf } from "../shared/protocol/address.ts";
import { ERRORS } from "../shared/protocol/codes.ts";
import { LIMITS } from "../shared/protocol/limits.ts";
import { formatPosition, type Position, parseLongPosition } from "../shared/protocol/position.ts";
import { OCCUPANCY } from "../shared/protocol/version.ts";
import type { Env, ShardCalls } from "./env.ts";
import { type ObjectIdentity, objectOf } from "./object-identity.ts";
import { encodePrincipal, type Principal, readPrincipal } from "./principal.ts";
import { queryOf } from "./query.ts";
import { roomCount, roomOf } from "./relay/rooms.ts";

/** Longer names aren't known to the object itself. */
const MAX_NAME_BYTES = 1_024;
/** Left out for "public". */
const PRINCIPAL = "Distributary-Principal";
/** Left out where it doesn't count from whom something came. */
const SENDER = "Distributary-Sender";
/** Of the headers of a request that becomes a WebSocket. */
const UPGRADE = { Upgrade: "websocket" };

/** undefined if the setting isn't a whole number of as many as there may be. */
function shardCount(env: Pick<Env, "SHARDS">): number | undefined {
  const shards = Number(env.SHARDS);
  return Number.isInteger(shards) && shards >= 1 && shards <= LIMITS.shards ? shards : undefined;
}

/** Throws if the number of shards isn't set as it must be. */
export function requireShards(env: Pick<Env, "SHARDS">): number {
  const shards = shardCount(env);
  if (shards === undefined) throw new Error(`SHARDS must be a whole number from 1 to ${LIMITS.shards}`);
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

/**
 * The name of an endpoint's object, or of one of its relays. A canonical path is ASCII, so that its length is its size, and
 * has no `@`.
 */
async function objectName(path: string, relay?: string): Promise<string> {
  const suffix = relay === undefined ? "" : `@${relay}`;
  if (path.length + suffix.length <= MAX_NAME_BYTES) return path + suffix;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(path)));
  return `#${Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("")}${suffix}`;
}

/** What an object's name tells of it: its path unless that is long, and which relay of the endpoint it is, if it is one. */
export function readObjectName(name: string): {
  readonly path: string | undefined;
  readonly relay: string | undefined;
} {
  const [known, relay] = name.split("@");
  return { path: known?.startsWith("/") ? known : undefined, relay };
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
      /** It wants to be told how many subscribers there are (O4). */
      readonly occupancy: true | undefined;
      readonly principal: Principal;
      /** Whether its token allows to publish there. */
      readonly publishes: boolean;
      /** The object is to take it whatever its key has: there is no room for it elsewhere. */
      readonly isSure: boolean;
      /** From whom it came, if that counts. */
      readonly sender: string | undefined;
    }
  | { readonly kind: "link"; readonly path: string };

/** An object of a region, and where the platform is asked to make it. */
export interface Relay {
  readonly name: string;
  readonly hint: DurableObjectLocationHint;
}

/** Requests to objects of endpoints: before the path, which stands there as it is, since it is canonical. */
const OBJECT = "https://object";
const SUBSCRIBE = "/subscribe";
const LINK = "/link";
/** In the query of a subscribe. */
const SURE = "sure";
const PUBLISHES = "publish";

/** What else a subscribe may be. */
export interface SubscribeMore {
  readonly publishes?: boolean;
  readonly occupancy?: true | undefined;
  readonly isSure?: boolean;
  readonly sender?: string | undefined;
}

/** `protocol` is the WebSocket subprotocol to answer with, if the client offered it. */
function subscribeRequest(
  path: string,
  from: Position | undefined,
  protocol: string | undefined,
  principal: Principal,
  { publishes, occupancy, isSure, sender }: SubscribeMore = {},
): Request {
  const query = [
    ...(publishes ? [PUBLISHES] : []),
    ...(from === undefined ? [] : [`from=${formatPosition(from)}`]),
    ...(occupancy ? [OCCUPANCY] : []),
    ...(isSure ? [SURE] : []),
  ];
  const more = query.length === 0 ? "" : `?${query.join("&")}`;
  const headers = headersOf(protocol, principal, sender);
  return new Request(OBJECT + SUBSCRIBE + path + more, { headers });
}

/** Of a client's request, in one to an object. */
function headersOf(
  protocol: string | undefined,
  principal: Principal,
  sender: string | undefined,
): Record<string, string> {
  const encoded = encodePrincipal(principal);
  return {
    ...UPGRADE,
    ...(protocol !== undefined && { "Sec-WebSocket-Protocol": protocol }),
    ...(encoded !== undefined && { [PRINCIPAL]: encoded }),
    ...(sender !== undefined && { [SENDER]: sender }),
  };
}

/** How a subscribe goes on to an object. */
export type SubscribeHow = [
  from: Position | undefined,
  protocol: string | undefined,
  principal: Principal,
  more?: SubscribeMore,
];

/**
 * Asks an endpoint's object, or one of its relays, to take a subscriber. No signal goes along: with one, it would stay in memory
 * as long as the socket lives.
 */
export async function openSubscription(
  env: Env,
  path: string,
  relay: Relay | undefined,
  ...how: SubscribeHow
): Promise<Response> {
  const id = env.ENDPOINT.idFromName(await objectName(path, relay?.name));
  const stub =
    relay === undefined ? env.ENDPOINT.get(id) : env.ENDPOINT.get(id, { locationHint: relay.hint });
  return stub.fetch(subscribeRequest(path, ...how));
}

const CROWDED = "Distributary-Crowded";

/**
 * An object's answer to a subscribe for which it has no room: a relay may have some (A11). Nobody else sees it, so it has no
 * body: one that isn't read would hold a connection of the platform's.
 */
export function crowdedResponse(): Response {
  return new Response(null, { status: ERRORS.overloaded.status, headers: { [CROWDED]: "" } });
}

export function isCrowded(answer: Response): boolean {
  return answer.headers.has(CROWDED);
}

/** In an answer by which nobody is accepted. */
const ROOM = "Distributary-Room";

/** An object's answer to a subscriber that is to wait in its key's room (L16). */
export function toItsRoom(): Response {
  return new Response(null, { status: 421, headers: { [ROOM]: "" } });
}

export function isForARoom(answer: Response): boolean {
  return answer.headers.has(ROOM);
}

/** Asks the room of a key to take a subscriber. `guesser`: as with `roomOf`. */
export async function openInRoom(
  env: Env,
  path: string,
  guesser: string | undefined,
  ...how: SubscribeHow
): Promise<Response> {
  const room = roomOf(path, requireShards(env), roomCount(env.ROOMS), guesser);
  return relayStub(env, room).fetch(subscribeRequest(path, ...how));
}

/** Asks an object for a link (L1). */
export async function openLink(env: Env, object: ObjectIdentity): Promise<Response> {
  const known = objectOf(object);
  if (known.kind === "relay") return relayStub(env, known.name).fetch(RELAY_LINK, { headers: UPGRADE });
  const { path, relay } = known;
  const stub = env.ENDPOINT.get(env.ENDPOINT.idFromName(await objectName(path, relay)));
  return stub.fetch(linkRequest(path));
}

function linkRequest(path: string): Request {
  return new Request(OBJECT + LINK + path, { headers: UPGRADE });
}

/** undefined if it is none that this version knows. Throws if its principal can't be read. */
export function readObjectRequest(request: Request): ObjectRequest | undefined {
  const url = new URL(request.url);
  if (request.headers.get("Upgrade") !== "websocket") return undefined;
  const path = pathAfter(LINK, url);
  return path === undefined ? readSubscribe(request, url) : { kind: "link", path };
}

function pathAfter(before: string, { pathname }: URL): string | undefined {
  return pathname.startsWith(`${before}/`) ? pathname.slice(before.length) : undefined;
}

function readSubscribe(
  request: Request,
  url: URL,
): Extract<ObjectRequest, { kind: "subscribe" }> | undefined {
  const path = pathAfter(SUBSCRIBE, url);
  if (path === undefined) return undefined;
  const query = queryOf(url);
  const from = query.get("from");
  return {
    kind: "subscribe",
    path,
    from: from === null ? undefined : parseLongPosition(from),
    occupancy: query.has(OCCUPANCY) || undefined,
    principal: readPrincipal(request.headers.get(PRINCIPAL)),
    publishes: query.has(PUBLISHES),
    isSure: query.has(SURE),
    sender: request.headers.get(SENDER) ?? undefined,
  };
}

export type RelayRequest =
  | {
      readonly kind: "connect";
      readonly principal: Principal;
      /** Whether there is anybody whose tokens count. */
      readonly tokensCount: boolean;
      /** From whom it came, if that counts. */
      readonly sender: string | undefined;
    }
  /** Of a room. */
  | Extract<ObjectRequest, { readonly kind: "subscribe" }>
  | { readonly kind: "link" };

const RELAY_LINK = "https://relay/link";
const TOKENS_COUNT = "tokens-count";

/** Where an object of many endpoints is made, if there is none of that name yet: near those who connect to it. */
function relayStub(env: Env, name: string, hint?: DurableObjectLocationHint): DurableObjectStub {
  const id = env.RELAY.idFromName(name);
  return hint === undefined ? env.RELAY.get(id) : env.RELAY.get(id, { locationHint: hint });
}

/** Asks an object of many endpoints to take a connection. `protocol` as with a subscribe. */
export async function openConnection(
  env: Env,
  relay: Relay,
  protocol: string | undefined,
  { principal, tokensCount, sender }: Omit<Extract<RelayRequest, { kind: "connect" }>, "kind">,
): Promise<Response> {
  const headers = headersOf(protocol, principal, sender);
  const query = tokensCount ? `?${TOKENS_COUNT}` : "";
  return relayStub(env, relay.name, relay.hint).fetch(`https://relay/connect${query}`, { headers });
}

/** undefined if it is none that this version knows. Throws if its principal can't be read. */
export function readRelayRequest(request: Request): RelayRequest | undefined {
  const url = new URL(request.url);
  const { pathname, searchParams } = url;
  if (request.headers.get("Upgrade") !== "websocket") return undefined;
  if (pathname === "/link") return { kind: "link" };
  if (pathname !== "/connect") return readSubscribe(request, url);
  const principal = readPrincipal(request.headers.get(PRINCIPAL));
  const sender = request.headers.get(SENDER) ?? undefined;
  return { kind: "connect", principal, tokensCount: searchParams.has(TOKENS_COUNT), sender };
}
