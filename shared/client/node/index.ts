/**
 * `@distributary/client/node`: the client where there may be no WebSocket, as in Node 20. It takes that of the package `ws` then, if it
 * is installed beside it, and else does without.
 */
import { LIMITS } from "../../protocol/limits.ts";
import {
  Client as AnyClient,
  type ClientOptions,
  type OpenWebSocket,
  type Transport,
  transportOver,
  withFallback,
} from "../index.ts";

export * from "../index.ts";

/** No dial succeeds: what comes does so by requests. */
const NO_WEBSOCKET: Transport = {
  dial(_, events) {
    queueMicrotask(() => events.closed(1006, "there is no WebSocket"));
    return { send: () => {}, close: () => {} };
  },
  explain: async () => undefined,
};

const transport = "WebSocket" in globalThis ? undefined : await transportOfPackage();

export class Client extends AnyClient {
  /** As that of the core. */
  constructor(url: string | URL, options: ClientOptions = {}) {
    super(
      url,
      transport === undefined ? options : { transport: withFallback(transport, options.clock), ...options },
    );
  }
}

async function transportOfPackage(): Promise<Transport> {
  try {
    const { WebSocket } = await import("ws");
    // The edge compresses nothing. Of a browser's WebSocket this one has all that is used here.
    const options = { perMessageDeflate: false, maxPayload: LIMITS.frameBytes };
    const open: OpenWebSocket = (url, protocols) =>
      new WebSocket(url, protocols, options) as unknown as globalThis.WebSocket;
    return transportOver(open);
  } catch {
    return NO_WEBSOCKET;
  }
}
