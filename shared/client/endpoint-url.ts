/** Which endpoint a URL names, and how to dial it. */
import { parseAddress } from "../protocol/address.ts";
import type { ErrorCode } from "../protocol/codes.ts";

/** Why a call of subscribe() could not even begin. */
export class SubscribeError extends Error {
  override readonly name = "SubscribeError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
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
 * A WebSocket doesn't follow a redirect to the canonical path (A3), so a URL is made canonical here. Throws
 * SubscribeError where it names no endpoint.
 */
export function resolveEndpoint(text: string): EndpointUrl {
  // Only a page has a location.
  const base = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  if (!URL.canParse(text, base)) throw new SubscribeError("bad_address", `not a URL: ${text}`);
  const url = new URL(text, base);
  if (!/^(ws|http)s?:$/.test(url.protocol))
    throw new SubscribeError("bad_address", `neither a ws: nor a http: URL: ${text}`);
  const result = parseAddress(url.pathname);
  if (!result.ok) throw new SubscribeError(result.code, `not the URL of an endpoint: ${text}`);
  url.protocol = url.protocol.replace("http", "ws");
  url.pathname = result.address.path;
  url.hash = "";
  return { url, path: result.address.path };
}
