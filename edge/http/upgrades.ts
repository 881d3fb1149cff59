/**
 * Requests that want to be a WebSocket: what they offer, and how they are refused (V1, H7, H9 of PROTOCOL.md).
 *
 * A page that dials is shown nothing of the answer to its handshake. It could not tell a mistake from a connection that
 * failed, and would dial again for ever. So a subscribe that is refused is accepted and closed at once, with a code that
 * says why. The Worker does that by itself: for a wrong address no object is named, made or woken.
 */
import { CLOSE, closeReason } from "../../shared/protocol/codes.ts";
import { TOKEN_PROTOCOL } from "../access/credentials.ts";
import { errorResponse } from "../answers.ts";
import type { Refusal } from "./refusal.ts";

export function isWebSocketUpgrade(request: Request): boolean {
  return request.headers.get("Upgrade")?.toLowerCase() === "websocket";
}

/** Where no WebSocket can be accepted, so that it can't be closed either. */
export function badUpgrade(): Response {
  return errorResponse("bad_upgrade", "no such upgrade is served here");
}

/**
 * The WebSocket subprotocol to answer with (V1); undefined if the client offered none at all, "none" if
 * it offered only others.
 */
export function chooseProtocol(request: Request, ours: string): string | undefined {
  // Nearly always, and needs no list.
  if (request.headers.get("Sec-WebSocket-Protocol") === ours) return ours;
  const offered = offeredBy(request);
  if (offered.length === 0) return undefined;
  return offered.includes(ours) ? ours : "none";
}

/** `ours` is the subprotocol that would have been served. */
export function refuseUpgrade(request: Request, ours: string, { code, message }: Refusal): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.close(CLOSE[code], closeReason(code, message));
  // A page that has offered any takes no answer without one of them. What is spoken on the socket is only the close.
  const offered = offeredBy(request);
  const protocol = offered.includes(ours) ? ours : offered[0];
  const headers = protocol === undefined ? undefined : { "Sec-WebSocket-Protocol": protocol };
  return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
}

function offeredBy(request: Request): string[] {
  const offered = request.headers.get("Sec-WebSocket-Protocol")?.split(",") ?? [];
  // One that carries a token is no protocol, and goes no further.
  return offered.map((one) => one.trim()).filter((one) => one !== "" && !one.startsWith(TOKEN_PROTOCOL));
}
