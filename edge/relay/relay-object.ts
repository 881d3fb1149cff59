/**
 * The Durable Object that holds many endpoints for connections that follow many: the shell around relay-core.ts. It translates
 * what the platform calls, and holds no decision.
 *
 * As with the object of one endpoint, all its sockets are ones that hibernate, and nothing keeps it awake between two events.
 */
import { DurableObject } from "cloudflare:workers";
import { shardOf } from "../../shared/protocol/address.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Message } from "../../shared/protocol/message.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";
import type { Answered } from "../endpoint/catch-up.ts";
import { connectLimits } from "../endpoint/connection-limits.ts";
import type { EndpointStateConfig } from "../endpoint/endpoint-state.ts";
import { holderOf } from "../endpoint/holder.ts";
import { verifyRenewal } from "../endpoint/renewal-access.ts";
import type { Env } from "../env.ts";
import { requireStreams, streamOf } from "../exposed.ts";
import { errorResponse, internalError, logProblem } from "../http/answers.ts";
import { relayObject } from "../object-identity.ts";
import { count } from "../operations.ts";
import { closeCode, closeQuietly, type HibernatingPeer } from "../peer.ts";
import { type RelayRequest, readRelayRequest, requireShards, shardStub } from "../routing.ts";
import { surroundings } from "../surroundings.ts";
import { RelayCore } from "./relay-core.ts";
import { RelayStore } from "./relay-store.ts";
import { judgePath, type Right } from "./right.ts";

const CONNECTION = "connection";
const LINK = "link";
/** Bounds of windows besides those of their streams, of one and of all: an isolate has 128 MB. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const ALL_WINDOWS_BYTES = 24 * 1024 * 1024;

export class RelayObject extends DurableObject<Env> {
  #core: RelayCore | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    count("object_created.relay");
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /**
   * The core, at the first event of this life. `socket`: what the event is about; if that is a close, the platform may not
   * count the socket any more, but its attachment is still what the object knew last.
   */
  #wake(socket?: WebSocket): RelayCore {
    this.#core ??= this.#create(socket);
    return this.#core;
  }

  #create(socket: WebSocket | undefined): RelayCore {
    const { ctx, env } = this;
    const name = ctx.id.name ?? "";
    const shards = requireShards(env);
    const ports = {
      ...surroundings(),
      attach: async (shard: number) => shardStub(env, shard).attach(relayObject(name)),
      verify: (token: string) => verifyRenewal(env, token, (work) => ctx.waitUntil(work)),
      log: (problem: string) => logProblem(`relay ${name}`, problem),
      pingedAt: (one: HibernatingPeer) =>
        one instanceof WebSocket ? ctx.getWebSocketAutoResponseTimestamp(one)?.getTime() : undefined,
      sent: (messages: number) => count("websocket_message_out.relay", messages),
      answered: (how: Answered) => count(`verdict.${how}`),
      shardOf: (path: string) => shardOf(path, shards),
      configOf,
      judge: (path: string, right: Right) => judgePath(requireStreams(), path, right),
      rows: new RelayStore(ctx.storage.sql),
    };
    const config = {
      limits: connectLimits(env),
      endpoints: LIMITS.relayEndpoints,
      subscriptions: LIMITS.relaySubscriptions,
      windowBytes: ALL_WINDOWS_BYTES,
    };
    const survivors = { links: this.#sockets(LINK, socket), connections: this.#sockets(CONNECTION, socket) };
    return new RelayCore(ports, config, survivors);
  }

  #sockets(tag: string, socket: WebSocket | undefined): readonly WebSocket[] {
    const all = this.ctx.getWebSockets(tag);
    const isMissing = socket !== undefined && !all.includes(socket) && this.ctx.getTags(socket).includes(tag);
    return isMissing ? [...all, socket] : all;
  }

  override async fetch(request: Request): Promise<Response> {
    count("object_request.relay");
    try {
      const wants = readRelayRequest(request);
      if (wants === undefined) return errorResponse("not_found", "the object has nothing there");
      const core = this.#wake();
      if (wants.kind === "link") return this.#openLink(core);
      return await this.#connect(core, wants, request.headers.get("Sec-WebSocket-Protocol"));
    } catch (error) {
      return internalError("relay", error);
    }
  }

  async #connect(
    core: RelayCore,
    { principal, tokensCount }: Extract<RelayRequest, { kind: "connect" }>,
    protocol: string | null,
  ): Promise<Response> {
    const isPublic = principal.kind === "public";
    const holder = isPublic ? undefined : await holderOf(principal, Date.now());
    const refusal = holder && core.refusalOf(holder);
    if (refusal !== undefined) return errorResponse(refusal.code, refusal.message);
    if (core.connections >= LIMITS.subscribersPerObject)
      return errorResponse("overloaded", "this server has as many connections as it can hold");
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [CONNECTION]);
    core.open(server, { grants: isPublic ? undefined : principal.grants, tokensCount }, holder);
    const headers = protocol === null ? undefined : { "Sec-WebSocket-Protocol": protocol };
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }

  #openLink(core: RelayCore): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [LINK]);
    core.linkOpened(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    const message: Message = typeof data === "string" ? data : new Uint8Array(data);
    const isLink = this.#isLink(socket);
    count(isLink ? "websocket_message_in.relay_link" : "websocket_message_in.relay_connection");
    try {
      if (isLink) this.#wake(socket).linkMessage(socket, message);
      else this.#wake(socket).connectionMessage(socket, message);
    } catch (error) {
      logProblem("relay: message", error);
      // Whatever state this left behind, a client that comes back is answered from its own positions.
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
      if (this.#isLink(socket)) core.linkClosed(socket, code);
      else core.connectionClosed(socket);
    } catch (error) {
      logProblem("relay: close", error);
    }
  }

  #isLink(socket: WebSocket): boolean {
    // The runtime makes a list of the tags each time: an update need not wait for that.
    return this.#core?.isLink(socket) || this.ctx.getTags(socket).includes(LINK);
  }
}

function configOf(path: string): EndpointStateConfig | undefined {
  const stream = streamOf(path);
  if (stream === undefined) return undefined;
  const window = { updates: stream.windowUpdates, ageMs: stream.windowMs, bytes: WINDOW_BYTES };
  return { path, window, replays: stream.replay > 0, hidesOccupancy: stream.occupancy === "nobody" };
}
