/**
 * The Durable Object of one shard, where uplinks end: the shell around shard-core.ts. The origin's socket is
 * one that hibernates; the links are sockets that this object dialled, and while it has any it stays awake.
 */
import { DurableObject } from "cloudflare:workers";
import type { Message } from "../../shared/protocol/message.ts";
import type { Publish } from "../../shared/protocol/publish.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";
import { UPLINK_PROTOCOL } from "../../shared/protocol/version.ts";
import { errorResponse, internalError, logProblem } from "../answers.ts";
import type { Env, ShardCalls } from "../env.ts";
import type { ObjectIdentity } from "../object-identity.ts";
import { count } from "../operations.ts";
import { closeCode, closeQuietly, type HibernatingPeer, type Peer } from "../peer.ts";
import { readPrincipal } from "../principal.ts";
import { openLink, readUplinkRequest, requireShards, shardOfName, shardStub } from "../routing.ts";
import { surroundings } from "../surroundings.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { LatestResult } from "./answering/latest.ts";
import { begin, FIRST } from "./beginning.ts";
import { gatherMs } from "./links/gathering.ts";
import { Notes } from "./links/notes.ts";
import type { OccupancyResult } from "./occupancy/occupancy.ts";
import type { PublishOutcome } from "./publishing/outcome.ts";
import { ShardCore } from "./shard-core.ts";
import type { ShardStatus } from "./shard-status.ts";
import { ShardStore } from "./shard-store.ts";
import type { Unspread } from "./spreading.ts";

const UPLINK = "uplink";
/** An object that doesn't answer in this time isn't waited for. */
const DIAL_TIMEOUT_MS = TIME_LIMITS.objectDialMs;
/** The same of a shard that another one asks when it begins. */
const ANSWER_TIMEOUT_MS = TIME_LIMITS.shardLearnMs;

export class ShardObject extends DurableObject<Env> implements ShardCalls {
  readonly #core: ShardCore;
  readonly #notes: Notes;
  readonly #shards: number;
  readonly #surroundings = surroundings();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    count("object_created.shard");
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    const shard = shardOfName(ctx.id.name);
    if (shard === undefined) throw new Error(`no name of a shard: ${ctx.id.name}`);
    const log = (problem: string) => logProblem(`shard ${shard}`, problem);
    const store = new ShardStore(ctx.storage.sql, log);
    this.#shards = requireShards(env);
    const notes = new Notes({
      ...this.#surroundings,
      // In one turn, and so in one transaction.
      write: (all) => {
        for (const object of all) store.note(object);
      },
      erase: (object) => store.forget(object),
    });
    this.#notes = notes;
    const ports = {
      ...this.#surroundings,
      log,
      sent: (messages: number) => count("websocket_message_out.shard", messages),
      disbelieved: () => count("frame_refused.uplink"),
      pingedAt: (socket: HibernatingPeer) => this.#pingedAt(socket),
      dial: (object: ObjectIdentity) => this.#dial(object),
      note: (object: ObjectIdentity) => notes.note(object),
      forget: (object: ObjectIdentity) => notes.forget(object),
      setGeneration: (generation: number) => store.setGeneration(generation),
      keepRevocation: (revocation: Revocation) => store.keepRevocation(revocation),
      dropRevocation: (issuer: string, id: string) => store.dropRevocation(issuer, id),
    };
    const survivors = {
      generation: store.generation(),
      noted: store.noted(),
      revocations: store.revocations(),
      uplinks: ctx.getWebSockets(UPLINK),
    };
    this.#core = new ShardCore(ports, { shard, shards: this.#shards, gatherMs: gatherMs(env) }, survivors);
    this.#begin(shard, store);
  }

  #begin(shard: number, store: ShardStore): void {
    const ports = {
      ...this.#surroundings,
      first: (run: () => Promise<void>) => void this.ctx.blockConcurrencyWhile(run),
      shardsKnownTo: (other: number) =>
        inTime(shardStub(this.env, other).shards(), ANSWER_TIMEOUT_MS, `shard ${other}`),
      revocations: () => this.#revocationsOfTheFirst(),
      learn: (revocations: readonly Revocation[], wasLeftOut: boolean) =>
        this.#core.revoking.learn(revocations, wasLeftOut),
      noteShards: (shards: number) => store.noteShards(shards),
      failed: (what: string, error: unknown) => logProblem(`shard: ${what}`, error),
      log: (line: string) => console.log(line),
    };
    begin(ports, shard, this.#shards, store.shardsSeen());
  }

  #revocationsOfTheFirst(): Promise<readonly Revocation[]> {
    const all = shardStub(this.env, FIRST).revocations();
    // Should it fail after it is waited for, nobody is there to hear it.
    all.catch(ignore);
    return inTime(all, ANSWER_TIMEOUT_MS, "the first shard");
  }

  async attach(object: ObjectIdentity): Promise<void> {
    count("rpc.shard");
    this.#core.attach(object);
    await this.#notes.written();
  }

  async latest(path: string, principal?: string, brief = false): Promise<LatestResult> {
    count("rpc.shard");
    return this.#core.latest(path, readPrincipal(principal), brief);
  }

  async occupancy(path: string, principal?: string): Promise<OccupancyResult> {
    count("rpc.shard");
    return this.#core.occupancy(path, readPrincipal(principal));
  }

  async publish(publish: Publish, principal?: string): Promise<PublishOutcome> {
    count("rpc.shard");
    return this.#core.publish(publish, readPrincipal(principal));
  }

  async shards(): Promise<number> {
    count("rpc.shard");
    return this.#shards;
  }

  async status(): Promise<ShardStatus> {
    count("rpc.shard");
    return this.#core.status();
  }

  async revoke(revocation: Revocation): Promise<boolean> {
    count("rpc.shard");
    return this.#core.revoking.revoke(revocation);
  }

  async lift(issuer: string, id: string): Promise<boolean> {
    count("rpc.shard");
    return this.#core.revoking.lift(issuer, id);
  }

  async revocations(issuer?: string): Promise<readonly Revocation[]> {
    count("rpc.shard");
    return issuer === undefined ? this.#core.revoking.known() : this.#core.revoking.list(issuer);
  }

  async spread(issuer: string, id: string): Promise<Unspread> {
    count("rpc.shard");
    return this.#core.spread(issuer, id);
  }

  async isRevoked(principal: string): Promise<boolean> {
    count("rpc.shard");
    const read = readPrincipal(principal);
    return read.kind === "known" && this.#core.revoking.isRevoked(read);
  }

  /** An uplink. The Worker has verified whose it is, and says so. */
  override async fetch(request: Request): Promise<Response> {
    count("object_request.shard");
    try {
      const holder = readUplinkRequest(request);
      if (holder === undefined) return errorResponse("bad_upgrade", "an uplink is a WebSocket");
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server, [UPLINK]);
      this.#core.uplinkOpened(server, holder.name, holder.scope);
      const headers = { "Sec-WebSocket-Protocol": UPLINK_PROTOCOL };
      return new Response(null, { status: 101, webSocket: client, headers });
    } catch (error) {
      return internalError("shard", error);
    }
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    count("websocket_message_in.shard_uplink");
    try {
      this.#core.uplinkMessage(socket, messageOf(data));
    } catch (error) {
      logProblem("shard: message of the origin", error);
      closeQuietly(socket, "going_away");
      this.#core.uplinkClosed(socket);
    }
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    closeQuietly(socket, closeCode(code));
    this.#core.uplinkClosed(socket);
  }

  override webSocketError(socket: WebSocket): void {
    this.#core.uplinkClosed(socket);
  }

  /** The runtime answers pings without waking anyone, and notes when. */
  #pingedAt(peer: HibernatingPeer): number | undefined {
    const socket = this.ctx.getWebSockets(UPLINK).find((other) => other === peer);
    const wall = socket && this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime();
    return wall === undefined ? undefined : this.#surroundings.at(wall);
  }

  async #dial(object: ObjectIdentity): Promise<Peer> {
    const answer = openLink(this.env, object);
    const response = await inTime(answer, DIAL_TIMEOUT_MS, "the object").catch((error: unknown) => {
      // Should it come after all, nobody is there for it.
      answer.then(({ webSocket }) => webSocket && hangUp(webSocket), ignore);
      throw error;
    });
    const socket = response.webSocket;
    if (socket === null) throw new Error(`the object answered ${response.status}`);
    socket.addEventListener("message", ({ data }) => {
      count("websocket_message_in.shard_link");
      try {
        this.#core.linkMessage(socket, messageOf(data));
      } catch (error) {
        logProblem("shard: message on a link", error);
        closeQuietly(socket, "going_away");
        this.#core.linkClosed(socket);
      }
    });
    socket.addEventListener("close", ({ code }) => {
      closeQuietly(socket, closeCode(code));
      this.#core.linkClosed(socket);
    });
    socket.addEventListener("error", () => this.#core.linkClosed(socket));
    // Blobs, the default, could be read only later, out of order.
    socket.binaryType = "arraybuffer";
    socket.accept();
    return socket;
  }
}

/**
 * Waits for an answer, but not for ever. An abort signal would do the same, but it would also keep the object
 * that was dialled awake as long as the link lives.
 */
async function inTime<T>(answer: Promise<T>, ms: number, who: string): Promise<T> {
  let timer: number | null = null;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${who} does not answer`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function hangUp(socket: WebSocket): void {
  socket.accept();
  closeQuietly(socket, "going_away");
}

function ignore(): void {
  // The failure was reported where it was waited for.
}

function messageOf(data: string | ArrayBuffer): Message {
  return typeof data === "string" ? data : new Uint8Array(data);
}
