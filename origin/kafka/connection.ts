/**
 * One connection to one broker: kafkajs connects, with TLS and SASL where that is wanted, and matches answers to requests.
 * Requests are framed and timed here: kafkajs's way takes three buffers and a dozen promises for each, and looks for
 * what is late ten times a second on every connection.
 */
/// <reference path="./kafkajs-parts.d.ts" />
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { setTimeout as startTimer } from "node:timers";
import { setTimeout } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import Broker from "kafkajs/src/broker/index.js";
import ConnectionPool, { type Connection as KafkaConnection } from "kafkajs/src/network/connectionPool.js";
import type Encoder from "kafkajs/src/protocol/encoder.js";
import { SourceError } from "../source.ts";
import type { KafkaSettings } from "./settings.ts";
import { WireReader } from "./wire.ts";

const CONNECT_MS = 10_000;
/** An answer that takes longer has failed. */
const REQUEST_MS = 5_000;
const MAX_THROTTLE_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;

/** Of a request's header, without the client's name: length, key, version, number, and how long the name is. */
const HEADER_BYTES = 14;

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

/** Not a byte came, though the connection stands, as far as can be seen from here. */
export class SilentError extends Error {}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class Connection {
  readonly #pool: ConnectionPool;
  readonly #broker: Broker;
  readonly #opened: Promise<KafkaConnection>;
  readonly #clientId: Buffer;
  readonly #authenticates: boolean;
  readonly #settings: KafkaSettings;
  /** Rejects when the connection is closed: kafkajs would go on waiting for it to open. */
  readonly #gone = Promise.withResolvers<never>();
  #socket: Socket | undefined;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();
  #quietUntil = 0;

  /** Connects, and rejects what is sent where that fails. */
  constructor(settings: KafkaSettings, { host, port }: Address) {
    this.#clientId = Buffer.from(settings.clientId);
    this.#authenticates = settings.sasl !== undefined;
    this.#settings = settings;
    this.#pool = new ConnectionPool({
      host,
      port,
      // Told in time: see #present.
      ssl: undefined,
      sasl: undefined,
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
    this.#opened = Promise.race([this.#open(), this.#gone.promise]);
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

  async #open(): Promise<KafkaConnection> {
    await this.#present();
    await this.#broker.connect();
    const connection = await this.#pool.getConnection();
    // Ends its search for what is late.
    connection.requestQueue.destroy();
    return connection;
  }

  /** Takes the credentials as they are now for what follows: kafkajs looks at them when it connects or authenticates. */
  async #present(): Promise<void> {
    const { tls, sasl } = (await this.#settings.current?.()) ?? this.#settings;
    if (this.#closed) throw new Error("the connection was closed");
    // kafkajs writes into the latter.
    this.#pool.map((connection) => Object.assign(connection, { ssl: tls, sasl: sasl && { ...sasl } }));
  }

  async #send<T>(request: Request<T>): Promise<T> {
    const connection = await this.#opened;
    if (this.#closed) throw new Error("the connection was closed");
    const { name, key, version, decode } = request;
    const known = this.#broker.versions?.[key];
    if (known === undefined || version < known.minVersion || version > known.maxVersion)
      throw new SourceError(
        "unavailable",
        `the broker is older than Kafka 3.1: it has no ${name} request of version ${version}`,
      );
    // A broker that throttles has answered already, and won't listen meanwhile.
    const quietMs = this.#quietUntil - performance.now();
    if (quietMs > 0) await setTimeout(quietMs);
    // Again, once as much time has passed as the broker allows.
    if (this.#authenticates && !connection.isAuthenticated()) {
      await this.#present();
      await connection.authenticate();
    }
    const { throttleMs, answer } = decode(new WireReader(await this.#exchange(connection, request)));
    if (throttleMs > 0) this.#quietUntil = performance.now() + Math.min(throttleMs, MAX_THROTTLE_MS);
    return answer;
  }

  #exchange<T>(connection: KafkaConnection, request: Request<T>): Promise<Buffer> {
    const { name, key, version, timeoutMs = REQUEST_MS } = request;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const answered = this.#closeUnlessAnswered(request);
    const correlationId = connection.nextCorrelationId();
    const entry = {
      apiKey: key,
      apiName: name,
      apiVersion: version,
      correlationId,
      resolve: ({ payload }: { payload: Buffer }) => {
        answered();
        resolve(payload);
      },
      reject: (error: Error) => {
        answered();
        reject(error);
      },
    };
    const bytes = this.#frame(request, correlationId);
    const sendRequest = () => this.#socket?.write(bytes);
    connection.requestQueue.push({ entry, expectResponse: true, requestTimeout: timeoutMs, sendRequest });
    return promise;
  }

  /** Until the function that it returns is called. */
  #closeUnlessAnswered<T>({ name, timeoutMs = REQUEST_MS, silenceMs = timeoutMs }: Request<T>): () => void {
    const ends = performance.now() + timeoutMs;
    let read = this.#socket?.bytesRead;
    const look = () => {
      const left = ends - performance.now();
      const isSilent = silenceMs < timeoutMs && this.#socket?.bytesRead === read;
      if (isSilent) this.close(new SilentError(`the broker has been silent for ${silenceMs} ms`));
      else if (left < 1) this.close(new Error(`a ${name} request was not answered within ${timeoutMs} ms`));
      else timer = startTimer(look, Math.min(silenceMs, left));
      read = this.#socket?.bytesRead;
    };
    let timer = startTimer(look, Math.min(silenceMs, timeoutMs));
    return () => clearTimeout(timer);
  }

  #frame<T>({ key, version, encode }: Request<T>, correlationId: number): Buffer {
    const body = encode().buffer;
    const bytes = Buffer.allocUnsafe(HEADER_BYTES + this.#clientId.length + body.length);
    bytes.writeInt32BE(bytes.length - 4, 0);
    bytes.writeInt16BE(key, 4);
    bytes.writeInt16BE(version, 6);
    bytes.writeInt32BE(correlationId, 8);
    bytes.writeInt16BE(this.#clientId.length, 12);
    bytes.set(this.#clientId, HEADER_BYTES);
    bytes.set(body, HEADER_BYTES + this.#clientId.length);
    return bytes;
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
