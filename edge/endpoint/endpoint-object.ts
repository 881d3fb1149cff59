/**
 * The Durable Object of one endpoint: the shell around endpoint-core.ts. It translates what the platform calls
 * and holds no decision.
 *
 * Everything here is on the server side of hibernatable sockets. Between two events nothing keeps the object
 * awake: no timer, no alarm, no awaited request. Its memory may be gone at the next event; what it needs then
 * is on the sockets (attachment.ts).
 */
import { DurableObject } from "cloudflare:workers";
import { shardOf } from "../../shared/protocol/address.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";
import { errorResponse, internalError, logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import { streamOf } from "../exposed.ts";
import { publishMaxBytes } from "../http/publish-request.ts";
import { endpointObject } from "../object-identity.ts";
import { count } from "../operations.ts";
import { closeCode, closeQuietly, type HibernatingPeer } from "../peer.ts";
import {
  crowdedResponse,
  type ObjectRequest,
  readObjectName,
  readObjectRequest,
  requireShards,
  shardStub,
} from "../routing.ts";
import { surroundings } from "../surroundings.ts";
import { pathOn } from "./attachment.ts";
import type { Answered } from "./catch-up.ts";
import { connectionLimits, subscribersPerObject } from "./connection-limits.ts";
import { EndpointCore } from "./endpoint-core.ts";
import { holderOf } from "./holder.ts";
import { verifyRenewal } from "./renewal-access.ts";

type Subscribe = Extract<ObjectRequest, { kind: "subscribe" }>;

const SUBSCRIBER = "subscriber";
const LINK = "link";
/** Bound of a window, besides those of its stream: an isolate of 128 MB holds many objects. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export class EndpointObject extends DurableObject<Env> {
  /** undefined until the endpoint's path is known. */
  #core: EndpointCore | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    count("object_created.endpoint");
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /**
   * The core, at the first event of this life. `socket`: what the event is about; where that is a close, the
   * platform may not count the socket any more, but its attachment is still what the object knew last.
   */
  #wake(socket?: WebSocket): EndpointCore | undefined {
    if (this.#core !== undefined) return this.#core;
    const path = this.#survivingPath(socket);
    if (path !== undefined) this.#core = this.#create(path, socket);
    // Sockets without the path that they belong to: their owners come back by position.
    else for (const one of this.ctx.getWebSockets()) closeQuietly(one, "going_away");
    return this.#core;
  }

  /** After a hibernation no request says which endpoint this is. Long paths aren't in the name. */
  #survivingPath(socket: WebSocket | undefined): string | undefined {
    return this.#named().path ?? pathOn(this.#links(socket), this.ctx.getWebSockets(SUBSCRIBER));
  }

  #named() {
    return readObjectName(this.ctx.id.name ?? "");
  }

  #links(socket: WebSocket | undefined): WebSocket[] {
    const links = this.ctx.getWebSockets(LINK);
    return socket === undefined || links.includes(socket) || !this.#isLink(socket)
      ? links
      : [...links, socket];
  }

  #create(path: string, socket?: WebSocket): EndpointCore | undefined {
    const stream = streamOf(path);
    const links = this.#links(socket);
    const subscribers = this.ctx.getWebSockets(SUBSCRIBER);
    if (stream === undefined) {
      // The topic was exposed when they came. Coming back they hear what is the matter.
      for (const socket of [...links, ...subscribers]) closeQuietly(socket, "going_away");
      return undefined;
    }
    const identity = endpointObject(path, this.#named().relay);
    const ports = {
      ...surroundings(),
      attach: async (asked: number) => shardStub(this.env, asked).attach(identity),
      verify: (token: string) => verifyRenewal(this.env, token, (work) => this.ctx.waitUntil(work)),
      log: (problem: string) => logProblem(path, problem),
      pingedAt: (socket: HibernatingPeer) =>
        socket instanceof WebSocket
          ? this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime()
          : undefined,
      sent: (messages: number) => count("websocket_message_out.endpoint", messages),
      answered: (how: Answered) => count(`verdict.${how}`),
      newKey: () => crypto.randomUUID(),
    };
    const window = { updates: stream.windowUpdates, ageMs: stream.windowMs, bytes: WINDOW_BYTES };
    const replays = stream.replay > 0;
    const hidesOccupancy = stream.occupancy === "nobody";
    const shard = shardOf(path, requireShards(this.env));
    const limits = connectionLimits(this.env);
    const publishing = { by: stream.publish, maxBytes: publishMaxBytes(this.env) };
    const config = { path, shard, window, replays, hidesOccupancy, limits, publishing };
    return new EndpointCore(ports, config, { links, subscribers });
  }

  override async fetch(request: Request): Promise<Response> {
    count("object_request.endpoint");
    try {
      const wants = readObjectRequest(request);
      if (wants === undefined) return errorResponse("not_found", "the object has nothing there");
      this.#core ??= this.#create(wants.path);
      if (this.#core === undefined) return errorResponse("unknown_topic", "the topic is not exposed");
      if (wants.kind === "link") return this.#openLink(this.#core);
      return await this.#subscribe(this.#core, wants, request.headers.get("Sec-WebSocket-Protocol"));
    } catch (error) {
      return internalError("endpoint object", error);
    }
  }

  async #subscribe(
    core: EndpointCore,
    { from, principal, publishes, occupancy }: Subscribe,
    protocol: string | null,
  ): Promise<Response> {
    const holder = principal.kind === "public" ? undefined : await holderOf(principal, Date.now());
    const refusal = holder && core.refusalOf(holder);
    if (refusal !== undefined) return errorResponse(refusal.code, refusal.message);
    if (core.subscribers >= subscribersPerObject(this.env)) return crowdedResponse();
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [SUBSCRIBER]);
    core.subscribe(server, from, holder, publishes, occupancy);
    const headers = protocol === null ? undefined : { "Sec-WebSocket-Protocol": protocol };
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }

  #openLink(core: EndpointCore): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [LINK]);
    core.linkOpened(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    const message: Message = typeof data === "string" ? data : new Uint8Array(data);
    const isLink = this.#isLink(socket);
    count(isLink ? "websocket_message_in.endpoint_link" : "websocket_message_in.endpoint_subscriber");
    try {
      if (isLink) this.#wake(socket)?.linkMessage(socket, message);
      else this.#wake(socket)?.subscriberMessage(socket, message);
    } catch (error) {
      logProblem("endpoint object: message", error);
      // Whatever state this left behind, a subscriber that comes back is answered from its own position.
      closeQuietly(socket, "going_away");
    }
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#closed(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    this.#closed(socket, 1006);
  }

  #closed(socket: WebSocket, code: number): void {
    try {
      const core = this.#wake(socket);
      // The platform leaves it to us to answer a close; without, the peer waits for it until it gives up.
      closeQuietly(socket, closeCode(code));
      if (this.#isLink(socket)) core?.linkClosed(socket, code);
      else core?.subscriberClosed(socket);
    } catch (error) {
      logProblem("endpoint object: close", error);
    }
  }

  #isLink(socket: WebSocket): boolean {
    // The runtime makes a list of the tags each time: an update need not wait for that.
    return this.#core?.isLink(socket) || this.ctx.getTags(socket).includes(LINK);
  }
}
