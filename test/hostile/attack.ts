/** What an attack is, and the ground that it stands on: where the product listens, and what is counted of it. */
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";

/** Addresses of a network: attackers have them one after another. None is that of honest clients, 127.0.0.1. */
const ADDRESSES_EACH = 250;
const ANSWER_MS = 20_000;
/** As many are under way at once unless an attack says otherwise: what is beyond isn't asked for. */
const UNDER_WAY = 200;

export const HONEST_TOPIC = "quotes";
export const HOSTILE_TOPIC = "hostile";

/** Who could do it. Aims of what a request costs are about strangers. */
export type Attacker = "a stranger" | "the holder of a key";

export interface Attack {
  readonly name: string;
  /** What kind it is of, in the table of docs/security.md. */
  readonly row: number;
  readonly by: Attacker;
  /** In words, with its rate. */
  readonly how: string;
  /** It begins with all that it does, and holds that. */
  readonly holds?: true;
  /** What must be in the log before: of the topic for hostile records. */
  readonly records?: readonly HostileRecord[];
  /** Attacks until the time is over. What it leaves open stays so until memory has been looked at. */
  readonly run: (ground: Ground) => Promise<void>;
}

export interface HostileRecord {
  readonly key: string;
  readonly value: () => Buffer;
  /** Bytes of a header that it has. */
  readonly headerBytes?: number;
}

/** Where the product is, as it travels to the attackers' process. */
export interface Target {
  readonly url: string;
  readonly statusPort: number;
  /** From how many addresses attackers come. */
  readonly addresses: number;
  /** Of an origin that isn't started; undefined if the product has no keys for each. */
  readonly holder: string | undefined;
  /** Of another one. */
  readonly standby: string | undefined;
}

/** What came of an attack. */
export interface Tally {
  readonly requests: number;
  /** Of these, those that were told to go, or not let in. */
  readonly refused: number;
  /** Connections that are open when memory is looked at. */
  readonly held: number;
  /** What it did that must not be possible, in words. */
  readonly harm: readonly string[];
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly port?: number;
}

export class Ground {
  readonly target: Target;
  readonly seconds: number;
  readonly #until: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1_500 });
  readonly #open = new Set<Socket | WebSocket>();
  readonly #harm = new Set<string>();
  #dials = 0;
  requests = 0;
  refused = 0;

  constructor(target: Target, seconds: number) {
    this.target = target;
    this.seconds = seconds;
    this.#until = performance.now() + seconds * 1_000;
  }

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  get tally(): Tally {
    const held = [...this.#open].filter((one) =>
      one instanceof WebSocket ? one.readyState === WebSocket.OPEN : !one.destroyed,
    ).length;
    return { requests: this.requests, refused: this.refused, held, harm: [...this.#harm] };
  }

  /** Once for all that is of one kind. */
  harm(what: string): void {
    this.#harm.add(what);
  }

  /** Does something so many times a second until the time is over, whether or not what was begun has ended. */
  async steadily(
    perSecond: number,
    one: (n: number) => Promise<unknown>,
    { atMost = Number.POSITIVE_INFINITY, underWay = UNDER_WAY } = {},
  ): Promise<void> {
    const began = performance.now();
    const pending = new Set<Promise<unknown>>();
    for (let n = 0; n < atMost && !this.isOver; n++) {
      await sleep(Math.max(0, began + (n * 1_000) / perSecond - performance.now()));
      if (pending.size >= underWay) await Promise.race(pending);
      const doing = one(n)
        .catch(() => this.refused++)
        .finally(() => pending.delete(doing));
      pending.add(doing);
    }
    await Promise.all(pending);
  }

  async rest(): Promise<void> {
    await sleep(Math.max(0, this.#until - performance.now()));
  }

  /** An HTTP request that is read to its end; resolves with the status and the first of the text. */
  ask({ method = "GET", path, headers, port }: Asked): Promise<{ status: number; text: string }> {
    this.requests++;
    const url = new URL(path, this.target.url);
    if (port !== undefined) url.port = String(port);
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const options = { method, headers: { ...headers }, agent: this.#agent, localAddress: this.#address() };
    const asked = request(url, { ...options, timeout: ANSWER_MS }, (answer: IncomingMessage) => {
      const { statusCode: status = 0 } = answer;
      let text = "";
      answer.on("data", (data: Buffer) => {
        if (text.length < 2_000) text += data.toString("latin1").slice(0, 2_000);
      });
      answer.on("end", () => {
        if (status >= 400) this.refused++;
        resolve({ status, text });
      });
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.end();
    return promise;
  }

  /** A connection that says this, and reads nothing. */
  async mute(says: string, port = Number(new URL(this.target.url).port)): Promise<Socket> {
    this.requests++;
    const socket = connect({ port, host: "127.0.0.1", localAddress: this.#address() });
    this.#open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#open.delete(socket));
    socket.pause();
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    if (says !== "") socket.write(says);
    return socket;
  }

  /** A WebSocket, of which it resolves that it is open; undefined if it was refused before. */
  async dial(
    path: string,
    { protocol = "distributary.v1", headers = {}, deflate = false }: DialOptions = {},
  ): Promise<WebSocket | undefined> {
    this.requests++;
    const socket = new WebSocket(`${this.target.url.replace("http", "ws")}${path}`, [protocol], {
      headers,
      localAddress: this.#address(),
      maxPayload: 64 * 1024 * 1024,
      perMessageDeflate: deflate ? { threshold: 0 } : false,
      handshakeTimeout: ANSWER_MS,
    });
    this.#open.add(socket);
    socket.on("error", () => {});
    const opened = new Promise<boolean>((resolve) => {
      socket.on("open", () => resolve(true));
      socket.on("close", () => {
        this.#open.delete(socket);
        resolve(false);
      });
    });
    if (await opened) return socket;
    this.refused++;
    return undefined;
  }

  /** To the edge none of this machine's own, which have no quota. */
  #address(): string {
    const number = this.#dials++ % this.target.addresses;
    return `127.200.${Math.floor(number / ADDRESSES_EACH)}.${1 + (number % ADDRESSES_EACH)}`;
  }

  /** Ends all that is still open. */
  leave(): void {
    for (const one of this.#open) one instanceof WebSocket ? one.terminate() : one.destroy();
    this.#open.clear();
    this.#agent.destroy();
  }
}

export interface DialOptions {
  readonly protocol?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether compression is offered. */
  readonly deflate?: boolean;
}

/** The next message of a socket as text; undefined if it is closed first, or none comes in time. */
export function heard(socket: WebSocket, ms = ANSWER_MS): Promise<string | undefined> {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(undefined), ms);
    const say = (text: string | undefined) => {
      clearTimeout(late);
      resolve(text);
    };
    socket.once("message", (data) => say(String(data)));
    socket.once("close", () => say(undefined));
  });
}

/** The code that a socket is closed with; undefined if it isn't in that time. */
export function closed(socket: WebSocket, ms: number): Promise<number | undefined> {
  if (socket.readyState === WebSocket.CLOSED) return Promise.resolve(0);
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(undefined), ms);
    socket.once("close", (code) => {
      clearTimeout(late);
      resolve(code);
    });
  });
}
