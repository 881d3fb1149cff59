/** The transport of browsers, and of Node from 22 on: their WebSocket and fetch. */
import { readErrorAnswer } from "../protocol/error-body.ts";
import { BEARER_PROTOCOL, SUBSCRIBER_PROTOCOL } from "../protocol/version.ts";
import type { Explanation, Transport } from "./transport.ts";

/** What takes longer to say why a dial failed is asked again some time later. */
const EXPLANATION_MS = 10_000;
/** State of a WebSocket. */
const OPEN = 1;

/** A WebSocket that is being opened, of a browser's kind. */
export type OpenWebSocket = (url: string, protocols: string[]) => WebSocket;

export const webSocketTransport: Transport = transportOver((url, protocols) => new WebSocket(url, protocols));

/** The same with a WebSocket from elsewhere. */
export function transportOver(open: OpenWebSocket): Transport {
  return {
    dial(url, events, token) {
      // A page can set no header on a WebSocket; the edge answers with the first of the two, never with the token.
      const bearer = token === "" ? [] : [BEARER_PROTOCOL + token];
      const socket = open(url, [SUBSCRIBER_PROTOCOL, ...bearer]);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => events.opened();
      socket.onmessage = ({ data }: { readonly data: string | ArrayBuffer }) =>
        events.message(typeof data === "string" ? data : new Uint8Array(data));
      // Says nothing that the `close` after it doesn't; but there are WebSockets that throw what nobody listens to.
      socket.onerror = () => {};
      socket.onclose = ({ code, reason }) => events.closed(code, reason);
      return {
        send(message) {
          if (socket.readyState === OPEN) socket.send(message);
        },
        close: () => socket.close(),
      };
    },
    explain,
  };
}

async function explain(url: string, token: string): Promise<Explanation | undefined> {
  try {
    const signal = AbortSignal.timeout(EXPLANATION_MS);
    const headers: Record<string, string> = token === "" ? {} : { Authorization: `Bearer ${token}` };
    const response = await fetch(url.replace(/^ws/, "http"), { cache: "no-store", headers, signal });
    if (response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
    // It may also be a date, which a clock that is wrong would misread.
    const retryAfterMs = seconds >= 0 ? seconds * 1_000 : undefined;
    return { error: readErrorAnswer(await response.text()), retryAfterMs };
  } catch {
    return undefined;
  }
}
