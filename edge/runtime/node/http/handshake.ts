/** The handshake of a WebSocket, as RFC 6455 §4.2 has a server answer it. */
import { hash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import * as ws from "ws";

/** What the types of `ws` leave out. Throws if a header isn't as it must be. */
const { subprotocol } = ws as unknown as {
  readonly subprotocol: { parse(header: string): ReadonlySet<string> };
};

/** §1.3. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** 8 differs from 13 in nothing that is used. */
const VERSIONS: ReadonlySet<string> = new Set(["13", "8"]);

/** Why a request can't become a WebSocket; undefined if it can. */
export function faultOf({ method, headers }: IncomingMessage): string | undefined {
  if (method !== "GET") return "Invalid HTTP method";
  if (!KEY.test(headers["sec-websocket-key"] ?? "")) return "Missing or invalid Sec-WebSocket-Key header";
  if (!VERSIONS.has(headers["sec-websocket-version"] ?? ""))
    return "Missing or invalid Sec-WebSocket-Version header";
  const offered = headers["sec-websocket-protocol"];
  try {
    if (offered !== undefined) subprotocol.parse(offered);
    return undefined;
  } catch {
    return "Invalid Sec-WebSocket-Protocol header";
  }
}

/** @param protocol of those that were offered; none is told to who offered none */
export function acceptanceOf({ headers }: IncomingMessage, protocol: string | null): Buffer {
  const isOffered = headers["sec-websocket-protocol"] !== undefined;
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${hash("sha1", headers["sec-websocket-key"] + GUID, "base64")}`,
    ...(protocol !== null && isOffered ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}
