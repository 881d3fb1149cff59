/** The client over real sockets: Node's WebSocket, and a server that plays the edge. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { type Subscription, type SubscriptionEvents, subscribe } from "../../../shared/client/client.ts";
import { encodeUpdate, type Frame, type Value } from "../../../shared/protocol/frame.ts";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import { encodeVerdict } from "../../../shared/protocol/subscriber.ts";
import { SUBSCRIBER_PROTOCOL } from "../../../shared/protocol/version.ts";

const path = "/frames/cam1";
const at = (text: string) => parsePosition(text) ?? NOTHING;
const verdict = (position: string, head: string, recovered?: boolean) =>
  encodeVerdict(0, { position: at(position), head: at(head), recovered, cause: undefined });
const update = (offset: number, previous: number, value: Value): Frame =>
  encodeUpdate({ endpoint: path, epoch: "a", offset, previous, timestamp: 5, headers: [], value });

let server: Server;
let sockets: WebSocketServer;
let url: string;
let subscription: Subscription | undefined;
/** What the edge does with a subscriber. */
let serve: (socket: WebSocket, request: IncomingMessage) => void;
let answer: (response: ServerResponse) => void;
let refuse: boolean;

beforeEach(async () => {
  refuse = false;
  server = createServer((_, response) => answer(response));
  sockets = new WebSocketServer({
    server,
    handleProtocols: (offered) => (offered.has(SUBSCRIBER_PROTOCOL) ? SUBSCRIBER_PROTOCOL : false),
    verifyClient: () => !refuse,
  });
  sockets.on("connection", (socket, request) => serve(socket, request));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  url = `ws://127.0.0.1:${address.port}${path}`;
});

afterEach(async () => {
  subscription?.close();
  for (const socket of sockets.clients) socket.terminate();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

/** The first event of a name that will do. */
function next<K extends keyof SubscriptionEvents>(
  name: K,
  wanted: (event: SubscriptionEvents[K]) => boolean = () => true,
): Promise<SubscriptionEvents[K]> {
  return new Promise((resolve) => subscription?.on(name, (event) => wanted(event) && resolve(event)));
}

test("[V1] [F4] [F5] values of every kind arrive as they were produced", async () => {
  const values: Value[] = [
    { kind: "json", text: '{ "b":1.0,\n"a":12345678901234567890 }' },
    { kind: "text", text: "\ufeffgrüß\u0000 dich" },
    { kind: "bytes", bytes: Uint8Array.of(0xff, 0x0a, 0x7b) },
    { kind: "tombstone" },
    { kind: "omitted", size: 9_000_000 },
  ];
  serve = (socket) => {
    socket.send(verdict("a:0", `a:${values.length}`));
    for (const [i, value] of values.entries()) socket.send(update(i + 1, i, value));
  };

  subscription = subscribe(url);
  const received: Value[] = [];
  subscription.on("update", ({ value }) => received.push(value));
  await next("live");

  expect(received).toEqual(values);
  expect([...sockets.clients][0]?.protocol).toBe("distributary.v1");
});

test("[S21] a token goes beside the URL: as a subprotocol of the handshake, and in a header of a GET", async () => {
  const dialled: unknown[] = [];
  serve = (socket, { url, headers }) => {
    dialled.push([url, headers["sec-websocket-protocol"], socket.protocol]);
    socket.send(verdict("-", "-"));
  };
  const asked: unknown[] = [];
  server.on("request", ({ url, headers }: IncomingMessage) => asked.push([url, headers.authorization]));
  answer = (response) => {
    response.writeHead(503);
    response.end();
    refuse = false;
  };

  refuse = true;
  subscription = subscribe(url, { token: async () => "a.b-c._", backoff: { baseMs: 1, maxMs: 20 } });
  await next("live");

  expect(dialled).toEqual([[path, "distributary.v1, distributary.bearer.a.b-c._", "distributary.v1"]]);
  expect(asked).toEqual([[path, "Bearer a.b-c._"]]);
});

test("[S10] a cut connection comes back by itself and asks for what it missed", async () => {
  const asked: (string | null)[] = [];
  serve = (socket, request) => {
    const from = new URL(request.url ?? "", url).searchParams.get("from");
    asked.push(from);
    socket.send(verdict(from ?? "a:0", from === null ? "a:1" : "a:3", from === null ? undefined : true));
    for (const offset of from === null ? [1] : [2, 3])
      socket.send(update(offset, offset - 1, { kind: "json", text: "1" }));
  };
  subscription = subscribe(url, { backoff: { baseMs: 1, maxMs: 1 } });
  await next("live");

  for (const socket of sockets.clients) socket.terminate();
  await next("live");

  expect(asked).toEqual([null, "a:1"]);
  expect(subscription.position).toBe("a:3");
  expect(subscription.statistics).toEqual({ received: 3, duplicates: 0, holes: 0, gaps: 0, resumes: 1 });
});

test("[C3] a close code that forbids to come back is the end", async () => {
  let dials = 0;
  serve = (socket) => {
    dials++;
    socket.close(4503, "unauthorized");
  };

  subscription = subscribe(url, { backoff: { baseMs: 1, maxMs: 1 } });
  const closed = await next("connection", ({ state }) => state === "closed");

  expect(closed).toMatchObject({ code: 4503, reason: "unauthorized" });
  expect(dials).toBe(1);
});

test("[H6] an address that is refused is told by the error that a GET is answered with", async () => {
  refuse = true;
  answer = (response) => {
    response.writeHead(404, { "Content-Type": "application/json" });
    response.end('{"error":{"code":"unknown_topic","message":"no such topic is exposed","retry":false}}');
  };

  subscription = subscribe(url);
  const told = next("error");
  const closed = next("connection", ({ state }) => state === "closed");

  expect(await told).toEqual({ code: "unknown_topic", message: "no such topic is exposed", retry: false });
  expect((await closed).reason).toBe("unknown_topic");
});

test("[H9] what stands before the edge and can't be reached past may say when to dial again", async () => {
  refuse = true;
  answer = (response) => {
    response.writeHead(503, { "Retry-After": "120" });
    response.end("<h1>Maintenance</h1>");
  };

  subscription = subscribe(url, { backoff: { baseMs: 1, maxMs: 1 } });
  const putOff = await next("connection", ({ retryMs = 0 }) => retryMs > 1);

  expect(putOff.retryMs).toBeGreaterThan(60_000);
  expect(putOff.retryMs).toBeLessThanOrEqual(120_001);
});

test("something that answers no errors of this protocol is dialled again", async () => {
  refuse = true;
  answer = (response) => {
    response.writeHead(502);
    response.end("<h1>Bad gateway</h1>");
    refuse = false;
  };
  serve = (socket) => socket.send(verdict("-", "-"));

  subscription = subscribe(url, { backoff: { baseMs: 1, maxMs: 20 } });

  expect(await next("live")).toEqual({ position: "-" });
});
