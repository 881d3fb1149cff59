/** The edge as far as an origin sees it: says how many shards there are and takes uplinks; does what it is told. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { jwtVerify } from "jose";
import { type WebSocket, WebSocketServer } from "ws";
import type { UplinksTiming } from "../../origin/uplink/uplinks.ts";
import { decodeAddressed } from "../../shared/protocol/addressed.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";
import { encodeHello, type Role } from "../../shared/protocol/uplink.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
export const KEY = { kid: "k1", name: "here", secret: new TextEncoder().encode(SECRET) };
/** The same as people write it. */
export const KEY_TEXT = `${KEY.kid}:${KEY.name}:${SECRET}`;

/** For uplinks to it: short waits, and patience. */
export const UPLINK_TIMING: UplinksTiming = {
  pingMs: 10,
  batchMs: 0,
  deadMs: 5_000,
  deadLongestMs: 20_000,
  retry: { baseMs: 4, maxMs: 16 },
  replaced: { baseMs: 4, maxMs: 16 },
  refused: { baseMs: 40, maxMs: 80 },
  leaveMs: 5_000,
};

/** An uplink as its shard sees it. */
export class TakenUplink {
  /** Which edge was meant of those at the address. */
  readonly edge: number;
  readonly shard: number;
  readonly socket: WebSocket;
  /** What the origin said, pings apart: `address frame` of text frames, bytes as they came. */
  readonly said: string[] = [];
  readonly binary: Uint8Array[] = [];
  pings = 0;
  /** Of those that the origin sent, pings apart. */
  messages = 0;
  closed: { code: number; reason: string } | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(number: number, shard: number, socket: WebSocket, edge: ScriptedShards) {
    this.edge = number;
    this.shard = shard;
    this.socket = socket;
    socket.on("message", (data: Buffer, isBinary) => {
      if (data.toString() === PING) {
        this.pings++;
        if (edge.answersPings) socket.send(PONG);
      } else {
        this.messages++;
        this.#read(isBinary ? Uint8Array.from(data) : data.toString());
      }
      this.#wake();
    });
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
    if (edge.greets) this.hello(edge.shards, 1, edge.role);
  }

  hello(shards: number, version = 1, role?: Role): void {
    this.say(encodeHello({ version, shard: this.shard, shards, generation: 1, role }));
  }

  say(frame: string): void {
    this.socket.send(frame);
  }

  /** Resolves when `look` finds something; tests have a deadline of their own. */
  async until<T>(look: (uplink: this) => T | undefined | false): Promise<T> {
    for (;;) {
      const found = look(this);
      if (found !== undefined && found !== false) return found;
      await this.#changed.promise;
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #read(message: Message): void {
    if (typeof message === "string")
      this.said.push(...splitText(message).map((item) => item.replace("\t", " ")));
    else
      for (const item of splitBinary(message) ?? [])
        this.binary.push(decodeAddressed(item)?.frame as Uint8Array);
  }
}

export class ScriptedShards {
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly uplinks: TakenUplink[] = [];
  /** When each dial came, refused ones too, on the monotonic clock. */
  readonly dials: number[] = [];
  readonly tokens: { kid: string | undefined; aud: unknown; sub: string | undefined; life: number }[] = [];
  asked = 0;
  shards = 1;
  /** At its address; unless a test sets it, it doesn't say. */
  edges: number | undefined;
  version = 1;
  /** Status with which requests and dials are answered; 200 lets them through. */
  status = 200;
  /** Why a token is refused, as the edge says it. */
  challenge: string | undefined;
  greets = true;
  /** The role that hellos name; none, as before there were standbys, unless a test sets it. */
  role: Role | undefined;
  answersPings = true;
  #changed = Promise.withResolvers<void>();

  readonly url: URL;

  private constructor(server: Server) {
    this.#server = server;
    this.url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on("request", async (request, response) => {
      this.asked++;
      const status = await this.#judge(request);
      const challenge = this.challenge === undefined ? {} : { "www-authenticate": this.challenge };
      response.writeHead(status, { "content-type": "application/json", ...challenge });
      const { version, shards, edges } = this;
      response.end(JSON.stringify({ version, shards, edges }));
      this.#wake();
    });
    server.on("upgrade", async (request: IncomingMessage, socket: Duplex, head) => {
      this.dials.push(performance.now());
      const status = await this.#judge(request);
      if (status === 200)
        this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
          const asked = new URL(request.url ?? "", "http://edge").searchParams;
          const [number, shard] = [Number(asked.get("edge")), Number(asked.get("shard"))];
          this.uplinks.push(new TakenUplink(number, shard, accepted, this));
        });
      else socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      this.#wake();
    });
  }

  static async start(): Promise<ScriptedShards> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedShards(server);
  }

  /** The uplink that was taken as the `nth` (from 1), of all shards. */
  async uplink(nth: number): Promise<TakenUplink> {
    return this.until(() => this.uplinks[nth - 1]);
  }

  async until<T>(look: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      await this.#changed.promise;
    }
  }

  async stop(): Promise<void> {
    for (const { socket } of this.uplinks) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #judge({ headers }: IncomingMessage): Promise<number> {
    const token = headers.authorization?.replace(/^Bearer /, "") ?? "";
    try {
      const { payload, protectedHeader } = await jwtVerify(token, KEY.secret, { algorithms: ["HS256"] });
      const { aud, sub, exp = 0, iat = 0 } = payload;
      this.tokens.push({ kid: protectedHeader.kid, aud, sub, life: exp - iat });
    } catch {
      return 401;
    }
    return this.status;
  }
}
