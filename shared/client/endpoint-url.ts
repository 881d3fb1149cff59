/** Which endpoint a URL names, and how to dial it. */
import { parseAddress } from "../protocol/address.ts";
import type { ErrorCode } from "../protocol/codes.ts";
import { ROUTES } from "../protocol/version.ts";

/** `subscribed`: the connection has a subscription to this endpoint already. `closed`: it is over. */
export type SubscribeErrorCode = ErrorCode | "subscribed" | "closed";

/** Why a call of subscribe() or connect() could not even begin. */
export class SubscribeError extends Error {
  override readonly name = "SubscribeError";
  readonly code: SubscribeErrorCode;

  constructor(code: SubscribeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface EndpointUrl {
  /** Absolute, `ws:` or `wss:`. */
  readonly url: URL;
  /** Canonical path of the endpoint. */
  readonly path: string;
}

/**
 * A WebSocket doesn't follow a redirect to the canonical path (A3), so a URL is made canonical here, but for the one other
 * spelling that is served (A13). What stands before the last two segments is where a proxy has the edge. Throws SubscribeError
 * where it names no endpoint.
 */
export function resolveEndpoint(text: string): EndpointUrl {
  const url = webSocketUrl(text);
  const [, base = "", own = url.pathname] = /^(.*?)(\/[^/]*\/[^/]*)$/.exec(url.pathname) ?? [];
  const { address, isBase64 } = parsed(own, url);
  if (!isBase64) url.pathname = base + address.path;
  return { url, path: address.path };
}

/**
 * Where an edge takes connections of many endpoints (M1): below a path that ends with a slash, if a proxy has the edge there.
 * Throws SubscribeError where the URL has another path.
 */
export function resolveEdge(text: string): URL {
  const url = webSocketUrl(text);
  const [, base] = /^(.*)\/(?:\$\/connect)?$/.exec(url.pathname) ?? [];
  if (base === undefined)
    throw new SubscribeError("not_found", `the URL of an edge ends with a slash, or has no path: ${text}`);
  url.pathname = base + ROUTES.connect;
  return url;
}

/** Where an endpoint of an edge is, by its canonical path, for requests. */
export function endpointUrl(edge: URL, path: string): URL {
  const url = new URL(edge);
  url.pathname = edge.pathname.slice(0, -ROUTES.connect.length) + path;
  url.search = "";
  url.protocol = edge.protocol.replace("ws", "http");
  return url;
}

/** The canonical path of an endpoint of an edge, from that or another spelling. Throws SubscribeError where it names none. */
export function endpointOf(text: string, edge: URL): string {
  if (!text.startsWith("/") || !URL.canParse(text, edge.href))
    throw new SubscribeError("bad_address", `not the path of an endpoint: ${text}`);
  const url = new URL(text, edge.href);
  if (url.host !== edge.host || url.search !== "" || url.hash !== "")
    throw new SubscribeError("bad_address", `not the path of an endpoint: ${text}`);
  return parsed(url.pathname, url).address.path;
}

function webSocketUrl(text: string): URL {
  // Only a page has a location.
  const base = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  if (!URL.canParse(text, base)) throw new SubscribeError("bad_address", `not a URL: ${text}`);
  const url = new URL(text, base);
  if (!/^(ws|http)s?:$/.test(url.protocol))
    throw new SubscribeError("bad_address", `neither a ws: nor a http: URL: ${text}`);
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  return url;
}

function parsed(path: string, { pathname }: URL) {
  const result = parseAddress(path);
  if (!result.ok) throw new SubscribeError(result.code, `not the URL of an endpoint: ${pathname}`);
  return result;
}
