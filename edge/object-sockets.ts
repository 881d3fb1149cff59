/**
 * The sockets of an object of endpoints: those of its clients, and links, which shards dial. It accepts them, and passes on to
 * the object's core what the platform says of them; it holds no decision.
 *
 * All are on the server side, and hibernate: the runtime answers pings by itself, and tags say which is which if the memory is
 * gone at the next event.
 */
import type { Message } from "../shared/protocol/message.ts";
import { PING, PONG } from "../shared/protocol/subscriber.ts";
import { logProblem } from "./answers.ts";
import { count, type Operation } from "./operations.ts";
import { closeCode, closeQuietly, type HibernatingPeer } from "./peer.ts";

const LINK = "link";
/** Begins a tag that says from whom a client came. */
const FROM = "from ";
/** What the platform says of a socket that broke. */
const BROKEN = 1006;

/** What sockets are for the core of an object. */
export interface SocketCore {
  /** Whether it is the socket of a link as it is now. */
  isLink(socket: HibernatingPeer): boolean;
  linkOpened(socket: HibernatingPeer): void;
  linkMessage(socket: HibernatingPeer, message: Message): void;
  linkClosed(socket: HibernatingPeer, code: number): void;
  clientMessage(socket: HibernatingPeer, message: Message): void;
  clientClosed(socket: HibernatingPeer): void;
}

export interface ObjectSocketsConfig {
  /** As the log calls the object. */
  readonly object: string;
  /** The tag of clients' sockets. */
  readonly client: string;
  /** What is counted of messages. */
  readonly fromLinks: Operation;
  readonly fromClients: Operation;
}

export interface ObjectSocketsPorts {
  /** The core, if this life has one. */
  awake(): SocketCore | undefined;
  /** The core, at any event; undefined if nothing is there to hear of it. */
  wake(about: WebSocket): SocketCore | undefined;
}

export class ObjectSockets {
  readonly #ctx: DurableObjectState;
  readonly #config: ObjectSocketsConfig;
  readonly #ports: ObjectSocketsPorts;
  /** Of clients that have said something: reading tags takes time. */
  readonly #senders = new WeakMap<WebSocket, { readonly sender: string | undefined }>();

  constructor(ctx: DurableObjectState, config: ObjectSocketsConfig, ports: ObjectSocketsPorts) {
    this.#ctx = ctx;
    this.#config = config;
    this.#ports = ports;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  /**
   * `about`: what the present event is about; if that is a close, the platform may not count the socket any more, but its
   * attachment is still what the object knew last.
   */
  links(about?: WebSocket): readonly WebSocket[] {
    return this.#tagged(LINK, about);
  }

  /** `about`: as with links. */
  clients(about?: WebSocket): readonly WebSocket[] {
    return this.#tagged(this.#config.client, about);
  }

  /** From whom a client came, if that was said when it was accepted. */
  senderOf(socket: HibernatingPeer): string | undefined {
    if (!(socket instanceof WebSocket)) return undefined;
    const known = this.#senders.get(socket);
    if (known !== undefined) return known.sender;
    const sender = this.#ctx
      .getTags(socket)
      .find((tag) => tag.startsWith(FROM))
      ?.slice(FROM.length);
    this.#senders.set(socket, { sender });
    return sender;
  }

  /** When a client last sent a ping, by the machine's clock. */
  pingedAt(socket: HibernatingPeer): number | undefined {
    return socket instanceof WebSocket
      ? this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime()
      : undefined;
  }

  /** Answers a client's upgrade. `sender`: from whom it came, if that counts and stands on nothing else of it. */
  acceptClient(protocol: string | null, opened: (socket: WebSocket) => void, sender?: string): Response {
    const headers = protocol === null ? undefined : { "Sec-WebSocket-Protocol": protocol };
    const tags = [this.#config.client, ...(sender === undefined ? [] : [FROM + sender])];
    return this.#accept(tags, opened, headers);
  }

  /** Answers a shard's. */
  acceptLink(core: SocketCore): Response {
    return this.#accept([LINK], (socket) => core.linkOpened(socket));
  }

  message(socket: WebSocket, data: string | ArrayBuffer): void {
    const { object, fromLinks, fromClients } = this.#config;
    const message: Message = typeof data === "string" ? data : new Uint8Array(data);
    const isLink = this.#isLink(socket);
    count(isLink ? fromLinks : fromClients);
    try {
      const core = this.#ports.wake(socket);
      if (core === undefined) return;
      if (isLink) core.linkMessage(socket, message);
      else core.clientMessage(socket, message);
    } catch (error) {
      logProblem(`${object}: message`, error);
      // Whatever state this left behind, a client that comes back is answered from its own positions.
      closeQuietly(socket, "going_away");
    }
  }

  broken(socket: WebSocket): void {
    this.closed(socket, BROKEN);
  }

  closed(socket: WebSocket, code: number): void {
    try {
      const core = this.#ports.wake(socket);
      // The platform leaves it to us to answer a close; without, the peer waits for it until it gives up.
      closeQuietly(socket, closeCode(code));
      const isLink = this.#isLink(socket);
      if (core === undefined) return;
      if (isLink) core.linkClosed(socket, code);
      else core.clientClosed(socket);
    } catch (error) {
      logProblem(`${this.#config.object}: close`, error);
    }
  }

  #isLink(socket: WebSocket): boolean {
    // The runtime makes a list of the tags each time: an update need not wait for that.
    return this.#ports.awake()?.isLink(socket) || this.#ctx.getTags(socket).includes(LINK);
  }

  #tagged(tag: string, about: WebSocket | undefined): readonly WebSocket[] {
    const all = this.#ctx.getWebSockets(tag);
    const isMissing = about !== undefined && !all.includes(about) && this.#ctx.getTags(about).includes(tag);
    return isMissing ? [...all, about] : all;
  }

  #accept(tags: string[], opened: (socket: WebSocket) => void, headers?: Record<string, string>): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, tags);
    opened(server);
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) });
  }
}
