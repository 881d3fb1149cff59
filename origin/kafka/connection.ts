/** One connection to one broker: kafkajs does TCP, TLS, SASL, framing and timeouts. */
/// <reference path="./kafkajs-parts.d.ts" />
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import Broker from "kafkajs/src/broker/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import type Encoder from "kafkajs/src/protocol/encoder.js";
import { SourceError } from "../source.ts";
import type { KafkaSettings } from "./settings.ts";
import { WireReader } from "./wire.ts";

const CONNECT_MS = 10_000;
/** An answer that takes longer has failed. */
const REQUEST_MS = 5_000;
const LOOK_MS = 250;
const MAX_THROTTLE_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;

export interface Request<T> {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** How long the answer may take, if longer than for others. */
  readonly timeoutMs?: number;
  /** A broker that sends not a byte for so long is taken for dead; one that fills a slow line isn't. */
  readonly silenceMs?: number;
  encode(): Encoder;
  decode(reader: WireReader): { readonly throttleMs: number; readonly answer: T };
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class Connection {
  readonly #pool: ConnectionPool;
  readonly #broker: Broker;
  readonly #opened: Promise<void>;
  /** Rejects when the connection is closed: kafkajs would go on waiting for it to open. */
  readonly #gone = Promise.withResolvers<never>();
  #socket: Socket | undefined;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();
  #quietUntil = 0;

  /** Connects, and rejects what is sent where that fails. */
  constructor(settings: KafkaSettings, { host, port }: Address) {
    this.#pool = new ConnectionPool({
      host,
      port,
      ssl: settings.tls,
      // kafkajs writes into it.
      sasl: settings.sasl && { ...settings.sasl },
      clientId: settings.clientId,
      connectionTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      logger: SILENT,
      socketFactory: ({ ssl, onConnect }) => {
        const socket = ssl
          ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
          : connectTcp({ host, port }, onConnect);
        socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
        socket.once("error", (error) => this.close(error));
        // kafkajs does not listen to it.
        socket.once("close", () => this.close());
        this.#socket = socket;
        return socket;
      },
    });
    // After every answer kafkajs sets a timer of negative length, of which Node warns. It is for requests that
    // wait for others, or for the end of a throttling: here none do.
    this.#pool.map(({ requestQueue }) => Object.assign(requestQueue, { scheduleCheckPendingRequests() {} }));
    this.#broker = new Broker({ connectionPool: this.#pool, logger: SILENT, allowAutoTopicCreation: false });
    this.#opened = Promise.race([this.#broker.connect(), this.#gone.promise]);
    this.#opened.catch(() => this.close());
  }

  /** Once closed, by either side, it stays so. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends a request once those before it are answered: a broker answers in order anyway, and kafkajs would mix
   * up its own authentication with answers that are still to come. Rejects with what went wrong: the connection
   * is then closed.
   */
  send<T>(request: Request<T>): Promise<T> {
    const answer = this.#last.then(() => this.#send(request));
    this.#last = answer.catch(() => this.close());
    return answer;
  }

  close(why = new Error("the connection was closed")): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#gone.reject(why);
    this.#pool.map((connection) => connection.rejectRequests(why));
    this.#socket?.destroy();
    // What is left of it are timers.
    this.#pool.destroy().catch(() => {});
  }

  async #send<T>(request: Request<T>): Promise<T> {
    const { name, key, version, timeoutMs = REQUEST_MS, silenceMs, encode, decode } = request;
    await this.#opened;
    if (this.#closed) throw new Error("the connection was closed");
    const known = this.#broker.versions?.[key];
    if (known === undefined || version < known.minVersion || version > known.maxVersion)
      throw new SourceError(
        "unavailable",
        `the broker is older than Kafka 3.1: it has no ${name} request of version ${version}`,
      );
    // A broker that throttles has answered already, and won't listen meanwhile.
    const quietMs = this.#quietUntil - performance.now();
    if (quietMs > 0) await setTimeout(quietMs);
    const connection = await this.#pool.getConnection();
    const answer = connection.send({
      request: { apiKey: key, apiVersion: version, apiName: name, encode: async () => encode() },
      response: {
        decode: async (payload) => ({ payload }),
        parse: async ({ payload }) => {
          const { throttleMs, answer } = decode(new WireReader(payload));
          this.#quietUntil = performance.now() + Math.min(throttleMs, MAX_THROTTLE_MS);
          return answer;
        },
      },
      requestTimeout: timeoutMs,
      logResponseError: false,
    });
    return silenceMs === undefined ? answer : this.#unlessSilent(silenceMs, answer);
  }

  /** Closes where not a byte comes for so long while an answer is due. */
  async #unlessSilent<T>(ms: number, answer: Promise<T>): Promise<T> {
    let [bytes, heardAt] = [this.#socket?.bytesRead, performance.now()];
    const look = setInterval(() => {
      const now = performance.now();
      if (bytes !== this.#socket?.bytesRead) [bytes, heardAt] = [this.#socket?.bytesRead, now];
      else if (now - heardAt >= ms) this.close(new Error(`the broker has been silent for ${ms} ms`));
    }, LOOK_MS);
    try {
      return await answer;
    } finally {
      clearInterval(look);
    }
  }
}

/** What is wrong reaches the caller; kafkajs has nothing of its own to say. */
const SILENT = {
  namespace: () => SILENT,
  info() {},
  error() {},
  warn() {},
  debug() {},
};
