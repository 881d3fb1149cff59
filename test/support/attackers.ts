/** Clients that mean ill, on real sockets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { eventually } from "./deadline.ts";

/** Whatever is wrong with them, they don't stay. */
const DEADLINE_MS = 60_000;

/**
 * Sends messages on a WebSocket of its own, until it is closed; resolves, with how many were sent, when all that is to be said
 * of them has been.
 */
export async function sendAll(
  url: string,
  protocols: string[],
  headers: Readonly<Record<string, string>>,
  messages: readonly (string | Uint8Array)[],
): Promise<number> {
  const socket = new WebSocket(url, protocols, { headers, perMessageDeflate: false });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("error", () => {});
  const opened = new Promise<void>((resolve) => socket.on("open", resolve));
  await Promise.race([opened, closed]);
  let sent = 0;
  for (const message of messages) {
    if (socket.readyState !== WebSocket.OPEN) break;
    // What no server would read is not sent by this client either.
    const isText = typeof message === "string";
    await new Promise<void>((resolve) => socket.send(message, { binary: !isText }, () => resolve()));
    sent++;
  }
  let heard = false;
  socket.on("message", (data) => {
    heard ||= String(data) === '{"pong":1}';
  });
  if (socket.readyState === WebSocket.OPEN) socket.send('{"ping":1}');
  // A close that was heard is enough: not every server ends the connection then, and this client would wait for that.
  await eventually(() => heard || socket.readyState !== WebSocket.OPEN, `an answer at ${url}`, DEADLINE_MS);
  socket.terminate();
  await closed;
  return sent;
}

/** Sends bytes on a connection of its own; resolves with what is answered until the server, or the deadline, ends it. */
export async function sendBytes(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let heard = "";
  socket.on("error", () => {});
  socket.on("data", (data) => {
    heard += data.toString("latin1");
  });
  socket.end(bytes);
  await within(closedOf(socket), "an end of a connection");
  return heard;
}

export async function openConnection(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

export function closedOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.closed ? resolve() : socket.once("close", () => resolve())));
}

async function within(what: Promise<void>, said: string): Promise<void> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${said}`)), DEADLINE_MS);
  try {
    await Promise.race([what, over]);
  } finally {
    clearTimeout(timer);
  }
}
