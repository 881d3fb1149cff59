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
import { errorResponse, internalError, logProblem } from "../answers.ts";
import type { Env } from "../env.ts";
import { streamOf } from "../exposed.ts";
import { publishMaxBytes } from "../http/publish-request.ts";
import { endpointObject } from "../object-identity.ts";
import { ObjectSockets } from "../object-sockets.ts";
import { count } from "../operations.ts";
import { closeQuietly, type HibernatingPeer } from "../peer.ts";
import { roomCount } from "../relay/rooms.ts";
import {
  crowdedResponse,
  type ObjectRequest,
  readObjectName,
  readObjectRequest,
  requireShards,
  shardStub,
  shardStubOf,
  toItsRoom,
} from "../routing.ts";
import { surroundings } from "../surroundings.ts";
import { pathOn } from "./attachment.ts";
import type { Answered } from "./catch-up.ts";
import { connectionLimits, subscribersPerObject } from "./connection-limits.ts";
import { EndpointCore } from "./endpoint-core.ts";
import { holderOf } from "./holder.ts";
import { verifyRenewal } from "./renewal-access.ts";
import { ofSingleEndpoints } from "./senders.ts";

type Subscribe = Extract<ObjectRequest, { kind: "subscribe" }>;

/** Bound of a window, besides those of its stream: an isolate of 128 MB holds many objects. */
const WINDOW_BYTES = 4 * 1024 * 1024;

const SOCKETS = {
  object: "endpoint object",
  client: "subscriber",
  fromLinks: "websocket_message_in.endpoint_link",
  fromClients: "websocket_message_in.endpoint_subscriber",
} as const;

export class EndpointObject extends DurableObject<Env> {
  readonly #sockets: ObjectSockets;
  /** undefined until the endpoint's path is known. */
  #core: EndpointCore | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    count("object_created.endpoint");
    this.#sockets = new ObjectSockets(ctx, SOCKETS, {
      awake: () => this.#core,
      wake: (about) => this.#wake(about),
    });
  }

  /** The core, at the first event of this life. `about`: the socket that the event is about. */
  #wake(about: WebSocket): EndpointCore | undefined {
    if (this.#core !== undefined) return this.#core;
    const path = this.#survivingPath(about);
    if (path !== undefined) this.#core = this.#create(path, about);
    // Sockets without the path that they belong to: their owners come back by position.
    else for (const one of this.ctx.getWebSockets()) closeQuietly(one, "going_away");
    return this.#core;
  }

  /** After a hibernation no request says which endpoint this is. Long paths aren't in the name. */
  #survivingPath(about: WebSocket): string | undefined {
    return this.#named().path ?? pathOn(this.#sockets.links(about), this.#sockets.clients());
  }

  #named() {
    return readObjectName(this.ctx.id.name ?? "");
  }

  #create(path: string, about?: WebSocket): EndpointCore | undefined {
    const stream = streamOf(path);
    const links = this.#sockets.links(about);
    const subscribers = this.#sockets.clients();
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
      pingedAt: (socket: HibernatingPeer) => this.#sockets.pingedAt(socket),
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
    const senders = {
      senderOf: (socket: HibernatingPeer) => this.#sockets.senderOf(socket),
      spending: ofSingleEndpoints(this.env),
    };
    const config = { path, shard, window, replays, hidesOccupancy, limits, senders, publishing };
    return new EndpointCore(ports, config, { links, subscribers });
  }

  override async fetch(request: Request): Promise<Response> {
    count("object_request.endpoint");
    try {
      const wants = readObjectRequest(request);
      if (wants === undefined) return errorResponse("not_found", "the object has nothing there");
      this.#core ??= this.#create(wants.path);
      if (this.#core === undefined) return errorResponse("unknown_topic", "the topic is not exposed");
      if (wants.kind === "link") return this.#sockets.acceptLink(this.#core);
      return await this.#subscribe(this.#core, wants, request.headers.get("Sec-WebSocket-Protocol"));
    } catch (error) {
      return internalError("endpoint object", error);
    }
  }

  async #subscribe(core: EndpointCore, wants: Subscribe, protocol: string | null): Promise<Response> {
    if (core.isIdle && !wants.isSure && (await this.#isForItsRoom(wants))) return toItsRoom();
    const { from, principal, publishes, occupancy, sender } = wants;
    const holder = principal.kind === "public" ? undefined : await holderOf(principal, Date.now());
    const refusal = holder && core.refusalOf(holder);
    if (refusal !== undefined) return errorResponse(refusal.code, refusal.message);
    if (core.subscribers >= subscribersPerObject(this.env)) return crowdedResponse();
    return this.#sockets.acceptClient(
      protocol,
      (socket) => core.subscribe(socket, from, holder, publishes, occupancy),
      sender,
    );
  }

  /** Of a key without a record nothing is held here: no link, and no row of its shard (L16). Where that isn't known, anything may be. */
  async #isForItsRoom({ path }: Subscribe): Promise<boolean> {
    if (roomCount(this.env.ROOMS) === 0) return false;
    try {
      const latest = await shardStubOf(this.env, path).latest(path, undefined, true);
      // If more is asked than can be answered, whoever made up keys must not have an object of its own for each.
      return latest.kind === "none" || (latest.kind === "error" && latest.code === "overloaded");
    } catch (error) {
      logProblem(`${path}: whether it has a record`, error);
      return false;
    }
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
