/**
 * A server that sends the same updates, one a message, as fast as they are taken: to the client, which subscribes first, and to a bare
 * WebSocket, which is sent them when it says anything.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { PING, PONG } from "../../../shared/protocol/up.ts";
import { SUBSCRIBER_PROTOCOL } from "../../../shared/protocol/version.ts";

export const ENDPOINT = "/quotes/AAPL";
const EPOCH = "bench.0";
/** Unsent at most, so that the server isn't what is measured. */
const AHEAD_BYTES = 4 * 1024 * 1024;
const AT_ONCE = 500;

export class Flood {
  readonly url: string;
  /** Called when one begins to be sent them. */
  began = () => {};
  readonly #updates: readonly Buffer[];
  readonly #close: () => void;

  /** @param page What is answered to plain requests, by path. */
  static async start(
    updates: number,
    bytes: number,
    page: ReadonlyMap<string, readonly [type: string, text: string]>,
  ): Promise<Flood> {
    const http = createServer(({ url = "" }, response) => {
      const [type, text] = page.get(url) ?? ["text/plain", ""];
      response.writeHead(text === "" ? 404 : 200, { "Content-Type": type }).end(text);
    });
    const sockets = new WebSocketServer({ server: http, handleProtocols: () => SUBSCRIBER_PROTOCOL });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const { port } = http.address() as { port: number };
    return new Flood(`http://127.0.0.1:${port}`, sockets, updatesOf(updates, bytes), () => {
      for (const socket of sockets.clients) socket.terminate();
      http.close();
    });
  }

  private constructor(url: string, sockets: WebSocketServer, updates: readonly Buffer[], close: () => void) {
    this.url = url;
    this.#updates = updates;
    this.#close = close;
    sockets.on("connection", (socket: WebSocket, _: IncomingMessage) => {
      socket.on("message", (said) => void this.#hear(socket, String(said)));
    });
  }

  close(): void {
    this.#close();
  }

  async #hear(socket: WebSocket, said: string): Promise<void> {
    if (said === PING) {
      socket.send(PONG);
      return;
    }
    const { id, sub } = JSON.parse(said) as { id?: number; sub?: string };
    const position = `${EPOCH}:0`;
    if (sub !== undefined) socket.send(JSON.stringify({ id, ok: { position, head: position } }));
    else if (id !== undefined) return;
    this.began();
    for (let at = 0; at < this.#updates.length && socket.readyState === socket.OPEN; at += AT_ONCE) {
      for (const update of this.#updates.slice(at, at + AT_ONCE)) socket.send(update, { binary: false });
      while (socket.bufferedAmount > AHEAD_BYTES) await new Promise((resolve) => setTimeout(resolve, 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function updatesOf(count: number, bytes: number): readonly Buffer[] {
  const pad = "x".repeat(bytes);
  return Array.from({ length: count }, (_, i) => {
    const head = `{"e":"${ENDPOINT}","p":"${EPOCH}:${i + 1}","q":${i},"t":${1_763_690_000_000 + i}`;
    return Buffer.from(`${head},"v":{"n":${i},"bid":229.1,"ask":229.3,"pad":"${pad}"}}`);
  });
}
