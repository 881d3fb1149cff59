/** The door of the edge on Node: requests to the Worker, and connections that become WebSockets. */
import { createServer, type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { running } from "../holder.ts";
import { type Siblings, siblingOf } from "../siblings/siblings.ts";
import { otherEnd } from "../sockets/end.ts";
import { Network } from "../sockets/network.ts";
import { WebSocket } from "../sockets/web-socket.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { leanHeaders } from "../web/headers.ts";
import type { Request } from "../web/request.ts";
import { Response } from "../web/response.ts";
import { Context, type Loaded } from "../worker.ts";
import { answerWith, requestOf, throwAway } from "./exchange.ts";
import { acceptanceOf, faultOf } from "./handshake.ts";

/** Of a request: more than any has that is served. */
const HEAD_BYTES = 128 * 1024;
/** What a handshake must name, told to one that can't be accepted (RFC 6455 §4.4). */
const VERSION = { "Sec-WebSocket-Version": "13, 8" };

/** @param siblings other edges at this address, to which connections may go */
export function openDoor(loaded: Loaded, siblings?: Pick<Siblings, "passOn">): Server {
  const server = createServer(
    {
      maxHeaderSize: HEAD_BYTES,
      headersTimeout: TIME_LIMITS.requestHeadMs,
      connectionsCheckingInterval: TIME_LIMITS.requestHeadMs,
      keepAliveTimeout: TIME_LIMITS.nextRequestMs,
      noDelay: true,
      shouldUpgradeCallback: ({ rawHeaders }) =>
        leanHeaders(rawHeaders).get("Upgrade")?.toLowerCase() === "websocket",
    },
    (request, response) => void serve(loaded, request, response),
  );
  server.on("upgrade", (request, socket, head) => void upgrade(loaded, siblings, request, socket, head));
  return server;
}

async function serve(loaded: Loaded, from: IncomingMessage, to: ServerResponse): Promise<void> {
  to.sendDate = false;
  to.on("error", () => {});
  to.once("finish", () => throwAway(from));
  const request = requestOf(from);
  if (request === undefined) return void to.writeHead(500).end();
  try {
    await answerWith(await askWorker(loaded, request), to, from.method === "HEAD");
  } catch (error) {
    console.error("a request:", error);
    if (!to.headersSent) to.writeHead(500);
    to.end();
  }
}

export async function askWorker({ worker, env }: Loaded, request: Request): Promise<Response> {
  return running.run(undefined, async () => worker.fetch(request, env, new Context()));
}

async function upgrade(
  loaded: Loaded,
  siblings: Pick<Siblings, "passOn"> | undefined,
  from: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const ignore = () => {};
  socket.on("error", ignore);
  const request = requestOf(from);
  if (request === undefined) return void socket.destroy();
  try {
    const answer = await askWorker(loaded, request);
    const { webSocket } = answer;
    if (webSocket === null || webSocket === undefined) return await refuse(answer, from, socket);
    const sibling = siblingOf(webSocket);
    if (sibling !== undefined)
      return siblings?.passOn(sibling, socket as Socket, Buffer.concat([headOf(from), head]));
    const fault = faultOf(request);
    if (fault === undefined && socket.readable && socket.writable)
      return connect(answer, webSocket, request, socket, head);
    WebSocket.endOf(webSocket).drop();
    if (fault === undefined) socket.destroy();
    else await refuse(new Response(fault, { status: 400, headers: VERSION }), from, socket);
  } catch (error) {
    console.error("a handshake:", error);
    socket.destroy();
  }
}

/** As it came. */
function headOf({ method, url, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/1.1`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** As an answer to a request, after which the connection ends. */
async function refuse(answer: Response, from: IncomingMessage, socket: Duplex): Promise<void> {
  const to = new ServerResponse(from);
  to.sendDate = false;
  to.shouldKeepAlive = false;
  to.on("error", () => {});
  to.assignSocket(socket as IncomingMessage["socket"]);
  to.once("finish", () => socket.end());
  await answerWith(answer, to, from.method === "HEAD");
}

/** The answer to the handshake leaves together with what was sent first. */
function connect(
  { headers }: Response,
  webSocket: WebSocket,
  request: Request,
  socket: Duplex,
  head: Buffer,
): void {
  const end = WebSocket.endOf(webSocket);
  const other = otherEnd(end);
  if (other === undefined) throw new Error("this socket was handed over before");
  const network = new Network(socket, head, other);
  network.begin(acceptanceOf(request, headers.get("Sec-WebSocket-Protocol")));
  end.passOn(network);
  other.wire = network;
}
