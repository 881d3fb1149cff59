/**
 * The least that Node must do to bring a topic's records to subscribers: kafkajs's consumer, and a `ws` server that
 * sends each record to whoever listens to its key. One process, no positions, no past, no check.
 * Usage: node kafka-ws.ts BROKERS TOPIC, with an IPC channel, on which it tells its port.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Kafka, logLevel } from "kafkajs";
import { type WebSocket, WebSocketServer } from "ws";
import { encodeUpdate, type Update } from "../../../shared/protocol/frame.ts";

const [brokers = "", topic = ""] = process.argv.slice(2);

/** What JSON of the bench begins with. */
const BRACE = 0x7b;

const listeners = new Map<string, Set<WebSocket>>();
const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false, clientTracking: false });
server.on("connection", (socket, request) => {
  const path = request.url ?? "";
  const here = listeners.get(path) ?? new Set();
  listeners.set(path, here.add(socket));
  socket.on("close", () => here.delete(socket));
  socket.on("error", () => socket.terminate());
});

const consumer = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).consumer({
  groupId: `floor-${process.pid}`,
  maxWaitTimeInMs: 100,
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
await consumer.run({
  eachMessage: async ({ message, partition }) => {
    const path = `/${topic}/${message.key}`;
    const here = listeners.get(path);
    if (here === undefined || here.size === 0) return;
    const frame = encodeUpdate({
      endpoint: path,
      epoch: `floor0.${partition}`,
      offset: Number(message.offset),
      previous: undefined,
      timestamp: Number(message.timestamp),
      headers: [],
      value: payloadOf(message.value ?? Buffer.alloc(0)),
    });
    for (const socket of here) socket.send(frame);
  },
});
await joined;
http.listen(0, "127.0.0.1", 4_096, () => process.send?.((http.address() as AddressInfo).port));
process.on("disconnect", () => process.exit(0));

/** The bench's payloads are random bytes that no text begins with, or JSON. */
function payloadOf(bytes: Buffer): Update["value"] {
  return bytes[0] === BRACE ? { kind: "json", text: bytes.toString() } : { kind: "bytes", bytes };
}
