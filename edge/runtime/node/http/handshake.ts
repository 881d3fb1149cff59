/** The handshake of a WebSocket, as RFC 6455 §4.2 has a server answer it. */
import { hash } from "node:crypto";
import * as ws from "ws";
import type { Request } from "../web/request.ts";

/** What the types of `ws` leave out. Throws if a header isn't as it must be. */
const { subprotocol } = ws as unknown as {
  readonly subprotocol: { parse(header: string): ReadonlySet<string> };
};

/** §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** Nearly always: a list is looked through. */
const ONE_PROTOCOL = /^[.0-9A-Za-z_-]+$/;
/** 8 differs from 13 in nothing that is used. */
const VERSIONS: ReadonlySet<string> = new Set(["13", "8"]);

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/** Why a request can't become a WebSocket; undefined if it can. */
export function faultOf({ method, headers }: Request): string | undefined {
  if (method !== "GET") return "Invalid HTTP method";
  if (!KEY.test(headers.get("Sec-WebSocket-Key") ?? "")) return "Missing or invalid Sec-WebSocket-Key header";
  if (!VERSIONS.has(headers.get("Sec-WebSocket-Version") ?? ""))
    return "Missing or invalid Sec-WebSocket-Version header";
  const offered = headers.get("Sec-WebSocket-Protocol");
  try {
    if (offered !== null && !ONE_PROTOCOL.test(offered)) subprotocol.parse(offered);
    return undefined;
  } catch {
    return "Invalid Sec-WebSocket-Protocol header";
  }
}

/** @param protocol of those that were offered; none is told to who offered none */
export function acceptanceOf({ headers }: Request, protocol: string | null): Buffer {
  const isOffered = headers.has("Sec-WebSocket-Protocol");
  const accepted = hash("sha1", headers.get("Sec-WebSocket-Key") + GUID, "base64");
  const spoken = protocol !== null && isOffered ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : "";
  return Buffer.from(`${SWITCHING}Sec-WebSocket-Accept: ${accepted}\r\n${spoken}\r\n`, "latin1");
}
