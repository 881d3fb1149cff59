/**
 * The least that the platform must do to bring an update to an endpoint's subscribers, as a Worker: no positions, no
 * window, no verdict, no limit. What the edge costs beyond it is the edge's own.
 *
 *   /feed/TOPIC/KEY   a publisher's socket straight into the endpoint's object
 *   /uplink           a publisher's socket into one shard, which passes each frame on over a link to the object
 *   /TOPIC/KEY        a subscriber
 */
import { DurableObject } from "cloudflare:workers";
import { forEachFrame } from "./batch.ts";

interface Env {
  readonly BROADCAST: DurableObjectNamespace;
  readonly SHARD: DurableObjectNamespace;
}

const SUBSCRIBER = "subscriber";
const FEED = "feed";

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
    for (const socket of this.ctx.getWebSockets(SUBSCRIBER)) socket.send(data);
  }

  override webSocketClose(socket: WebSocket): void {
    socket.close();
  }
}

/** Takes batches from one publisher and passes their frames on, each over the WebSocket of its endpoint. */
export class Shard extends DurableObject<Env> {
  #links: WebSocket[] = [];

  override fetch(): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    if (typeof data !== "string") return forEachFrame(data, (link, frame) => this.#links[link]?.send(frame));
    this.#links = [];
    for (const path of JSON.parse(data) as string[]) this.#links.push(await this.#dial(path));
    socket.send("ready");
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
  fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/uplink") return env.SHARD.get(env.SHARD.idFromName("shard")).fetch(request);
    const path = pathname.replace(/^\/feed/, "");
    return env.BROADCAST.get(env.BROADCAST.idFromName(path)).fetch(request);
  },
};
