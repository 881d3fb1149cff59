/**
 * `@distributary/client/node`: the client where there may be no WebSocket, as in Node 20. It takes that of the package `ws` then,
 * which is to be installed beside it.
 */
import { LIMITS } from "../../protocol/limits.ts";
import { Client as AnyClient, type ClientOptions, type OpenWebSocket, transportOver } from "../index.ts";

export * from "../index.ts";

const fromPackage = "WebSocket" in globalThis ? undefined : await openerOfPackage();

export class Client extends AnyClient {
  /** As that of the core. Throws Error if there is neither a WebSocket nor the package `ws`. */
  constructor(url: string | URL, options: ClientOptions = {}) {
    super(url, fromPackage === undefined ? options : { transport: transportOver(fromPackage), ...options });
    if (!("WebSocket" in globalThis) && fromPackage === undefined && options.transport === undefined)
      throw new Error("this version of Node has no WebSocket: npm install ws");
  }
}

async function openerOfPackage(): Promise<OpenWebSocket | undefined> {
  try {
    const { WebSocket } = await import("ws");
    // The edge compresses nothing. Of a browser's WebSocket this one has all that is used here.
    const options = { perMessageDeflate: false, maxPayload: LIMITS.frameBytes };
    return (url, protocols) => new WebSocket(url, protocols, options) as unknown as globalThis.WebSocket;
  } catch {
    return undefined;
  }
}
