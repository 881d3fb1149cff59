/**
 * The least that Node must do to bring updates to those who want them, several endpoints on a connection, too: a `ws` server
 * that sends each client what comes together in one message. One process, no positions, no past, no check.
 *
 * Whoever connects to a path follows it, and on `/$/connect` what its lists name, each of which is answered. What the one on `/feed`
 * sends is passed on. Usage: node batching-ws.ts, with an IPC channel, on which it tells its port.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { ROUTES } from "../../../shared/protocol/version.ts";

const SEPARATOR = "\u001e";
const ENDPOINT = '{"e":"';

const followers = new Map<string, Set<WebSocket>>();
const outboxes = new Map<WebSocket, string[]>();

function follow(socket: WebSocket, path: string): void {
  const here = followers.get(path) ?? new Set();
  followers.set(path, here.add(socket));
  socket.on("close", () => here.delete(socket));
}

function take(message: string): void {
  // What comes within a turn of the event loop leaves together.
  if (outboxes.size === 0) setImmediate(flush);
  for (const frame of message.split(SEPARATOR)) {
    const path = frame.slice(ENDPOINT.length, frame.indexOf('"', ENDPOINT.length));
    for (const socket of followers.get(path) ?? []) {
      const outbox = outboxes.get(socket);
      if (outbox === undefined) outboxes.set(socket, [frame]);
      else outbox.push(frame);
    }
  }
}

function flush(): void {
  for (const [socket, frames] of outboxes) socket.send(frames.join(SEPARATOR));
  outboxes.clear();
}

const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false, clientTracking: false });
server.on("connection", (socket, request) => {
  socket.setMaxListeners(0);
  socket.on("error", () => socket.terminate());
  const { pathname } = new URL(request.url ?? "/", "http://floor");
  if (pathname === "/feed") socket.on("message", (data) => take(String(data)));
  else if (pathname === ROUTES.connect)
    socket.on("message", (data) => {
      const { subs } = JSON.parse(String(data)) as { subs: readonly { id: number; sub: string }[] };
      for (const { sub } of subs) follow(socket, sub);
      socket.send(subs.map(({ id }) => JSON.stringify({ id, ok: {} })).join(SEPARATOR));
    });
  else {
    follow(socket, pathname);
    socket.send('{"id":0,"ok":{}}');
  }
});
http.listen(0, "127.0.0.1", 4_096, () => process.send?.((http.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));
