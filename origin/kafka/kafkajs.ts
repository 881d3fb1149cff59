/**
 * What kafkajs does for one connection to a broker: TLS, SASL and the exchange of versions. What it would do besides is taken
 * away from it: its deadlines, its timers, and its way to wait while a broker throttles. Other requests, one after another,
 * are exchanged here.
 */
/// <reference path="./kafkajs-parts.d.ts" />
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import Broker from "kafkajs/src/broker/index.js";
import ConnectionPool, { type Connection } from "kafkajs/src/network/connectionPool.js";
import { AnswerBytes } from "./answer-bytes.ts";
import type { Versions } from "./apis.ts";
import { frameOf, type Request } from "./request.ts";
import type { Credentials } from "./settings.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface KafkajsOptions {
  readonly address: Address;
  readonly clientId: string;
  readonly credentials: Credentials;
  readonly connectMs: number;
}

export interface KafkajsListener {
  failed(error: Error): void;
  /** So many bytes have come; over TLS, that many in plain. */
  heard(bytes: number): void;
  /** The broker wants to be left alone. */
  throttled(ms: number): void;
}

/** A connection that is ready, and which versions of a request the broker knows, by the request's key. */
export interface Opened {
  readonly connection: Connection;
  readonly versions: Versions;
}

export class Kafkajs {
  readonly #clientId: Uint8Array;
  readonly #pool: ConnectionPool;
  readonly #listener: KafkajsListener;
  /** TLS, or else what is below it. */
  #socket: Socket | undefined;
  readonly #bytes = new AnswerBytes();
  /** The request that isn't answered. */
  #asked: Asked | undefined;

  /** @param tcp It is connected, and its errors are heard, by whoever made it. */
  constructor(tcp: Socket, options: KafkajsOptions, listener: KafkajsListener) {
    this.#clientId = Buffer.from(options.clientId);
    this.#listener = listener;
    this.#pool = this.#newPool(tcp, options);
  }

  async connect(): Promise<Opened> {
    const broker = new Broker({ connectionPool: this.#pool, logger: SILENT, allowAutoTopicCreation: false });
    await broker.connect();
    const connection = await this.#pool.getConnection();
    // Ends its search for what is late.
    connection.requestQueue.destroy();
    const theirs = connection.processData.bind(connection);
    const processData = (bytes: Buffer) => {
      if (this.#asked === undefined) theirs(bytes);
      else this.#answered(this.#asked, bytes);
    };
    Object.assign(connection, { processData });
    return { connection, versions: broker.versions ?? {} };
  }

  /**
   * Sends a request, and hands on its answer as soon as that is there, unless the connection ends before. There is no deadline
   * here. Everything before it must have been answered; that is so for what kafkajs asks by itself, too. Throws if it can't be
   * encoded, and then nothing was asked.
   */
  exchange<T>(
    connection: Connection,
    request: Request<T>,
    version: number,
    answered: (answer: Buffer) => void,
  ): void {
    const correlationId = connection.nextCorrelationId();
    const frame = frameOf(request, version, correlationId, this.#clientId);
    this.#asked = { correlationId, answered };
    this.#socket?.write(frame);
  }

  /** How long the answer is that is coming, with its length; little, if that isn't known yet. */
  get bytesWanted(): number {
    return this.#bytes.wanted;
  }

  #answered({ correlationId, answered }: Asked, bytes: Buffer): void {
    const answer = this.#bytes.add(bytes);
    if (answer === undefined) return;
    this.#asked = undefined;
    const isAsked = answer.length >= CORRELATION_BYTES && answer.readInt32BE(0) === correlationId;
    if (isAsked && this.#bytes.have === 0) answered(answer.subarray(CORRELATION_BYTES));
    else this.#listener.failed(new Error("the broker answers what it wasn't asked"));
  }

  /** Rejects what kafkajs asked itself and isn't answered. What is left of it after that are timers. */
  end(why: Error): void {
    this.#asked = undefined;
    this.#pool.map((connection) => connection.rejectRequests(why));
    this.#socket?.destroy();
    this.#pool.destroy().catch(() => {});
  }

  #newPool(tcp: Socket, { address, clientId, credentials, connectMs }: KafkajsOptions): ConnectionPool {
    const { host, port } = address;
    const { tls: { name, ...ssl } = {}, sasl } = credentials;
    const servername = name ?? (isIP(host) ? undefined : host);
    const pool = new ConnectionPool({
      host,
      port,
      ssl: credentials.tls && ssl,
      sasl,
      clientId,
      connectionTimeout: connectMs,
      requestTimeout: connectMs,
      logger: SILENT,
      socketFactory: ({ ssl, onConnect }) => {
        const socket = ssl
          ? connectTls({ socket: tcp, host, ...(servername && { servername }), ...ssl }, onConnect)
          : tcp;
        if (socket === tcp) process.nextTick(onConnect);
        socket.on("error", (error) => this.#listener.failed(error));
        socket.on("data", (bytes: Buffer) => this.#listener.heard(bytes.length));
        this.#socket = socket;
        return socket;
      },
    });
    // It holds back what is sent while a broker throttles that was just connected to, and what ends that is its timer,
    // which it sets after every answer with a negative length, of which Node warns. Instead the next request waits.
    const maybeThrottle = (ms: number | undefined) => {
      if (ms !== undefined && ms > 0) this.#listener.throttled(ms);
    };
    pool.map(({ requestQueue }) =>
      Object.assign(requestQueue, { scheduleCheckPendingRequests() {}, maybeThrottle }),
    );
    return pool;
  }
}

interface Asked {
  readonly correlationId: number;
  readonly answered: (answer: Buffer) => void;
}

/** Of what says which request is answered. */
const CORRELATION_BYTES = 4;

/** What is wrong reaches the caller; kafkajs has nothing of its own to say. */
const SILENT = {
  namespace: () => SILENT,
  info() {},
  error() {},
  warn() {},
  debug() {},
};
