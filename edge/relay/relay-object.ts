/**
 * The Durable Object that holds many endpoints for connections that follow many: the shell around relay-core.ts. It translates
 * what the platform calls, and holds no decision.
 *
 * As with the object of one endpoint, all its sockets are ones that hibernate, and nothing keeps it awake between two events.
 */
import { DurableObject } from "cloudflare:workers";
import { shardOf } from "../../shared/protocol/address.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { errorResponse, internalError, logProblem } from "../answers.ts";
import type { Answered } from "../endpoint/catch-up.ts";
import { connectionLimits, connectLimits } from "../endpoint/connection-limits.ts";
import type { EndpointStateConfig } from "../endpoint/endpoint-state.ts";
import { holderOf } from "../endpoint/holder.ts";
import { verifyRenewal } from "../endpoint/renewal-access.ts";
import { ofAnObject, ofSingleEndpoints } from "../endpoint/senders.ts";
import type { Env } from "../env.ts";
import { requireStreams, streamOf } from "../exposed.ts";
import { publishMaxBytes } from "../http/publish-request.ts";
import { relayObject } from "../object-identity.ts";
import { ObjectSockets } from "../object-sockets.ts";
import { oldestOf } from "../oldest.ts";
import { count } from "../operations.ts";
import type { HibernatingPeer } from "../peer.ts";
import { PUBLIC } from "../principal.ts";
import {
  crowdedResponse,
  type RelayRequest,
  readRelayRequest,
  requireShards,
  shardStub,
} from "../routing.ts";
import { gatherMs } from "../shard/links/gathering.ts";
import { surroundings } from "../surroundings.ts";
import { RelayCore } from "./relay-core.ts";
import { RelayStore } from "./relay-store.ts";
import { judgePath, judgePublish, mayPublishSomewhere, type Right } from "./right.ts";
import { isRoom } from "./rooms.ts";

/** Bounds of windows besides those of their streams, of one and of all: an isolate has 128 MB. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const ALL_WINDOWS_BYTES = 24 * 1024 * 1024;

const SOCKETS = {
  object: "relay",
  client: "connection",
  fromLinks: "websocket_message_in.relay_link",
  fromClients: "websocket_message_in.relay_connection",
} as const;

export class RelayObject extends DurableObject<Env> {
  readonly #sockets: ObjectSockets;
  #core: RelayCore | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    count("object_created.relay");
    this.#sockets = new ObjectSockets(ctx, SOCKETS, {
      awake: () => this.#core,
      wake: (about) => this.#wake(about),
    });
  }

  /** The core, at the first event of this life. `about`: the socket that the event is about. */
  #wake(about?: WebSocket): RelayCore {
    this.#core ??= this.#create(about);
    return this.#core;
  }

  #create(about: WebSocket | undefined): RelayCore {
    const { ctx, env } = this;
    const name = ctx.id.name ?? "";
    const shards = requireShards(env);
    const ports = {
      ...surroundings(),
      attach: async (shard: number) => shardStub(env, shard).attach(relayObject(name)),
      verify: (token: string) => verifyRenewal(env, token, (work) => ctx.waitUntil(work)),
      log: (problem: string) => logProblem(`relay ${name}`, problem),
      pingedAt: (socket: HibernatingPeer) => this.#sockets.pingedAt(socket),
      sent: (messages: number) => count("websocket_message_out.relay", messages),
      answered: (how: Answered) => count(`verdict.${how}`),
      shardOf: (path: string) => shardOf(path, shards),
      // Whose token counts no more is closed by the object itself.
      oldest: (path: string) => oldestOf(env, path, PUBLIC),
      configOf,
      judge: (path: string, right: Right) => judgePath(requireStreams(), path, right),
      judgePublish: (path: string, right: Right) => judgePublish(requireStreams(), path, right),
      mayPublishSomewhere: (right: Right) => mayPublishSomewhere(requireStreams(), right),
      newKey: () => crypto.randomUUID(),
      rows: new RelayStore(ctx.storage.sql),
    };
    const config = {
      // Sockets in a room follow one endpoint each, and are bounded as such ones are anywhere.
      limits: isRoom(name) ? { ...connectionLimits(env), subscriptions: 1 } : connectLimits(env),
      bySender: isRoom(name) ? ofSingleEndpoints(env) : ofAnObject(env),
      endpoints: LIMITS.relayEndpoints,
      subscriptions: LIMITS.relaySubscriptions,
      windowBytes: ALL_WINDOWS_BYTES,
      gatherMs: isRoom(name) ? gatherMs(env) : 0,
      publishBytes: publishMaxBytes(env),
    };
    const survivors = { links: this.#sockets.links(about), connections: this.#sockets.clients(about) };
    return new RelayCore(ports, config, survivors);
  }

  override async fetch(request: Request): Promise<Response> {
    count("object_request.relay");
    try {
      const wants = readRelayRequest(request);
      if (wants === undefined) return errorResponse("not_found", "the object has nothing there");
      const core = this.#wake();
      if (wants.kind === "link") return this.#sockets.acceptLink(core);
      return await this.#connect(core, wants, request.headers.get("Sec-WebSocket-Protocol"));
    } catch (error) {
      return internalError("relay", error);
    }
  }

  async #connect(
    core: RelayCore,
    wants: Exclude<RelayRequest, { kind: "link" }>,
    protocol: string | null,
  ): Promise<Response> {
    const { principal } = wants;
    const isPublic = principal.kind === "public";
    const grants = isPublic ? undefined : principal.grants;
    const holder = isPublic ? undefined : await holderOf(principal, Date.now());
    const only = wants.kind === "subscribe" ? wants.path : undefined;
    const refusal = holder && core.refusalOf(holder, only);
    if (refusal !== undefined) return errorResponse(refusal.code, refusal.message);
    const isFull = core.connections >= LIMITS.subscribersPerObject;
    if (wants.kind === "connect") {
      if (isFull) return errorResponse("overloaded", "this server has as many connections as it can hold");
      const right = { grants, tokensCount: wants.tokensCount };
      const { sender } = wants;
      return this.#sockets.acceptClient(protocol, (socket) => core.open(socket, right, holder, sender));
    }
    if (configOf(wants.path) === undefined) return errorResponse("unknown_topic", "the topic is not exposed");
    if (isFull || core.isFullFor(wants.path)) return crowdedResponse();
    const right = { grants, tokensCount: !isPublic };
    return this.#sockets.acceptClient(protocol, (socket) => core.subscribe(socket, wants, right, holder));
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    this.#sockets.message(socket, data);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#sockets.closed(socket, code);
  }

  override webSocketError(socket: WebSocket): void {
    this.#sockets.broken(socket);
  }
}

function configOf(path: string): EndpointStateConfig | undefined {
  const stream = streamOf(path);
  if (stream === undefined) return undefined;
  const window = { updates: stream.windowUpdates, ageMs: stream.windowMs, bytes: WINDOW_BYTES };
  return { path, window, replays: stream.replay > 0, hidesOccupancy: stream.occupancy === "nobody" };
}
