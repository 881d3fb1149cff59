/**
 * Endpoints over HTTP and WebSocket: A3–A5, H1–H7, S1 and V1 of PROTOCOL.md. A GET is one question through the
 * shard; a subscribe is passed on to the endpoint's object, which nothing but an exposed, canonical path reaches.
 */
import { parseAddress } from "../../shared/protocol/address.ts";
import { parsePosition } from "../../shared/protocol/position.ts";
import { SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { objectName, shardStubOf, subscribeRequest } from "../routing.ts";
import { errorResponse } from "./answers.ts";
import { latestResponse } from "./latest.ts";

/** H1: the latest record. */
export async function latestRoute(request: Request, env: Env): Promise<Response> {
  const path = endpointOf(new URL(request.url));
  if (path instanceof Response) return path;
  const latest = await shardStubOf(env, path).latest(path);
  return latestResponse(latest, request.headers.get("If-None-Match"));
}

/** A request that wants to be a WebSocket: a subscribe, or refused (H7). */
export async function upgradeRoute(request: Request, env: Env): Promise<Response> {
  const url = new URL(request.url);
  const parsed = parseAddress(url.pathname);
  if (request.method !== "GET" || (!parsed.ok && parsed.code === "not_found")) return badUpgrade();
  const path = endpointOf(url);
  if (path instanceof Response) return path;
  const protocol = chooseProtocol(request, SUBSCRIBER_PROTOCOL);
  if (protocol === "none")
    return errorResponse("unsupported_version", `this edge speaks ${SUBSCRIBER_PROTOCOL}`);
  const text = url.searchParams.get("from");
  const from = text === null ? undefined : parsePosition(text);
  if (text !== null && from === undefined) return errorResponse("bad_position", "from is not a position");
  const id = env.ENDPOINT.idFromName(await objectName(path));
  return env.ENDPOINT.get(id).fetch(subscribeRequest(path, from, protocol));
}

export function isWebSocketUpgrade(request: Request): boolean {
  return request.headers.get("Upgrade")?.toLowerCase() === "websocket";
}

export function badUpgrade(): Response {
  return errorResponse("bad_upgrade", "no such upgrade is served here");
}

/**
 * The WebSocket subprotocol to answer with (V1); undefined where the client offered none at all, "none" where
 * it offered only others.
 */
export function chooseProtocol(request: Request, ours: string): string | undefined {
  const offered = request.headers.get("Sec-WebSocket-Protocol");
  if (offered === null) return undefined;
  return offered.split(",").some((one) => one.trim() === ours) ? ours : "none";
}

/** The canonical path of the exposed endpoint that a URL names, or the answer that says why it is none. */
function endpointOf(url: URL): string | Response {
  const parsed = parseAddress(url.pathname);
  if (!parsed.ok) return errorResponse(parsed.code, PROBLEMS[parsed.code]);
  const { topic, path } = parsed.address;
  if (!parsed.canonical) return new Response(null, { status: 308, headers: { Location: path + url.search } });
  if (requireStreams().get(topic) === undefined)
    return errorResponse("unknown_topic", "no such topic is exposed");
  return path;
}

const PROBLEMS = {
  bad_address: "the path holds no topic name, or a malformed %",
  key_too_long: "the key has more than 1,024 bytes",
  not_found: "nothing lives here",
} as const;
