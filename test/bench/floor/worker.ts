/**
 * The least that the platform must do to bring an update to an endpoint's subscribers, as a Worker: no positions, no
 * window, no verdict, no limit. What the edge costs beyond it is the edge's own.
 *
 *   /feed/TOPIC/KEY   a publisher's socket straight into the endpoint's object
 *   /$/uplink         the origin's sockets into as many shards as the edge has, which pass each frame on over a link to
 *                     the object. The origin is the product's, so that both get the same messages
 *   /$/links          the paths to which there shall be links
 *   /TOPIC/KEY        a subscriber
 */
import { DurableObject } from "cloudflare:workers";
import { shardOf } from "../../../shared/protocol/address.ts";
import { encodeAttach } from "../../../shared/protocol/attach.ts";
import { isUpdate, PING, PONG } from "../../../shared/protocol/subscriber.ts";
import { encodeHello } from "../../../shared/protocol/uplink.ts";
import { ROUTES, UPLINK_PROTOCOL, VERSION } from "../../../shared/protocol/version.ts";
import { forEachBinaryFrame, forEachTextFrame } from "./batch.ts";

interface Env {
  readonly BROADCAST: DurableObjectNamespace;
  readonly SHARD: DurableObjectNamespace<Shard>;
  readonly SHARDS: string;
  /** Where the shards are: an isolate of its own, which counts for itself. */
  readonly STORING?: Fetcher;
}

const SUBSCRIBER = "subscriber";
const FEED = "feed";
/** Links that are dialled at once. */
const AT_ONCE = 50;

/** As the edge's own counters of the same names. */
const messages = { "websocket_message_in.shard_uplink": 0, "websocket_message_in.endpoint_link": 0 };

/** One endpoint: sends what its feed says to every subscriber. All sockets hibernate. */
export class Broadcast extends DurableObject<Env> {
  override fetch(request: Request): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [
      new URL(request.url).pathname.startsWith("/feed/") ? FEED : SUBSCRIBER,
    ]);
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(_: WebSocket, data: string | ArrayBuffer): void {
    messages["websocket_message_in.endpoint_link"]++;
    for (const socket of this.ctx.getWebSockets(SUBSCRIBER)) socket.send(data);
  }

  override webSocketClose(socket: WebSocket): void {
    socket.close();
  }
}

/** Takes what an origin sends and passes the updates on, each over the WebSocket of its endpoint. */
export class Shard extends DurableObject<Env> {
  /** The number of a link is its place, from 1. */
  readonly #paths: string[] = [];
  readonly #links: WebSocket[] = [];
  #uplink: WebSocket | undefined;
  #ready = false;
  #answered = 0;
  #allAnswered = () => {};

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    const headers = { "Sec-WebSocket-Protocol": UPLINK_PROTOCOL };
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  isReady(): boolean {
    return this.#ready;
  }

  /** Resolves when there is a link to each, and the origin has answered their attaches. */
  async link(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return;
    const answered = new Promise<void>((resolve) => {
      this.#allAnswered = resolve;
    });
    this.#paths.push(...paths);
    for (let i = 0; i < paths.length; i += AT_ONCE)
      this.#links.push(...(await Promise.all(paths.slice(i, i + AT_ONCE).map((path) => this.#dial(path)))));
    this.#attach();
    await answered;
  }

  #attach(): void {
    this.#answered = 0;
    for (let i = 0; i < this.#links.length; i++) {
      const endpoint = this.#paths[i] ?? "";
      this.#uplink?.send(encodeAttach({ endpoint, id: 1, from: undefined }, i + 1));
    }
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    messages["websocket_message_in.shard_uplink"]++;
    if (typeof data === "string") forEachTextFrame(data, (link, frame) => this.#text(socket, link, frame));
    else
      forEachBinaryFrame(new Uint8Array(data), (link, frame) => {
        this.#links[link - 1]?.send(frame);
      });
  }

  #text(socket: WebSocket, link: number, frame: string): void {
    if (isUpdate(frame)) this.#links[link - 1]?.send(frame);
    else if (link > 0) {
      if (++this.#answered === this.#paths.length) this.#allAnswered();
    } else if (frame.startsWith('{"ready":')) this.#ready = frame === '{"ready":true}';
    else if (frame.startsWith('{"hello":')) {
      this.#uplink = socket;
      const shards = Number(this.env.SHARDS);
      socket.send(encodeHello({ version: VERSION, shard: 0, shards, generation: 1, role: "active" }));
      this.#attach();
    }
  }

  async #dial(path: string): Promise<WebSocket> {
    const stub = this.env.BROADCAST.get(this.env.BROADCAST.idFromName(path));
    const request = new Request(`https://object/feed${path}`, { headers: { Upgrade: "websocket" } });
    const { webSocket } = await stub.fetch(request);
    if (webSocket === null) throw new Error("the object has no socket");
    webSocket.accept();
    return webSocket;
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const shards = Array.from({ length: Number(env.SHARDS) }, (_, i) =>
      env.SHARD.get(env.SHARD.idFromName(`shard${i}`)),
    );
    switch (pathname) {
      case ROUTES.uplink: {
        const shard = shards[Number(searchParams.get("shard") ?? Number.NaN)];
        return shard?.fetch(request) ?? Response.json({ version: VERSION, shards: shards.length });
      }
      case "/$/links": {
        const paths: string[] = await request.json();
        const of = (i: number) => paths.filter((path) => shardOf(path, shards.length) === i);
        await Promise.all(shards.map((shard, i) => shard.link(of(i))));
        return new Response();
      }
      case ROUTES.health: {
        const ready = await Promise.all(shards.map((shard) => shard.isReady()));
        return new Response(null, { status: ready.every(Boolean) ? 200 : 503 });
      }
      case ROUTES.operations: {
        const counts: typeof messages | undefined = await (await env.STORING?.fetch(request.url))?.json();
        const uplink = "websocket_message_in.shard_uplink";
        return Response.json({ ...messages, [uplink]: messages[uplink] + (counts?.[uplink] ?? 0) });
      }
    }
    const path = pathname.replace(/^\/feed/, "");
    return env.BROADCAST.get(env.BROADCAST.idFromName(path)).fetch(request);
  },
};
