/** The transport of browsers, and of Node from 22 on: their WebSocket. */
import { BEARER_PROTOCOL, SUBSCRIBER_PROTOCOL } from "../protocol/version.ts";
import { loadRequests } from "./choosing.ts";
import type { Transport } from "./transport.ts";

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
      socket.onopen = () => events.opened("websocket");
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
    async explain(url, token) {
      // Where this can't be loaded either nothing is known.
      const requests = await loadRequests().catch(() => undefined);
      return requests?.explain(url, token);
    },
  };
}
