/**
 * One connection to one broker: kafkajs connects, with TLS and SASL where that is wanted, and matches answers to requests.
 * Requests are framed and timed here: kafkajs's way takes three buffers and a dozen promises for each, and looks for
 * what is late ten times a second on every connection.
 *
 * Every request settles: `close` rejects all that aren't answered, whatever they wait for just then, and everything
 * that can end a connection ends in `close`. What kafkajs does is never relied on for that.
 */
/// <reference path="./kafkajs-parts.d.ts" />

import { once } from "node:events";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { setTimeout as startTimer } from "node:timers";
import { setTimeout } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import Broker from "kafkajs/src/broker/index.js";
import ConnectionPool, { type Connection as KafkaConnection } from "kafkajs/src/network/connectionPool.js";
import type Encoder from "kafkajs/src/protocol/encoder.js";
import { SourceError } from "../source/source.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { AT_ONCE, type Turn } from "./dial-gate.ts";
import { type Heard, Hearing, SilentError } from "./hearing.ts";
import type { Credentials, KafkaSettings } from "./settings.ts";
import { Throttle } from "./throttle.ts";
import { WireReader } from "./wire.ts";

/** A broker that sends not a byte for so long, while we say anew who we are, or it is asked, is taken for dead. */
const CONNECT_MS = TIME_LIMITS.brokerConnectMs;
const SILENCE_MS = TIME_LIMITS.brokerSilentMs;
const KEEP_ALIVE_MS = TIME_LIMITS.brokerKeepAliveMs;

/** Of a request's header, without the client's name: length, key, version, number, and how long the name is. */
const HEADER_BYTES = 14;

export interface Request<T> {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** What to send instead to a broker that knows it. */
  readonly newer?: Request<T>;
  /** How long the broker may be silent before and within its answer, if not as long as for others. */
  readonly silenceMs?: number;
  /** Whether to give up an answer of so many bytes, of which that much has come: less is asked for instead. */
  readonly giveUp?: (heard: Heard, bytes: number) => boolean;
  encode(): Encoder;
  decode(reader: WireReader): { readonly throttleMs: number; readonly answer: T };
}

/** The connection was given up to ask over another one. Nothing is wrong with the broker. */
export class OtherWayError extends Error {}

/** The broker has no such request. */
export class UnsupportedError extends SourceError {
  constructor(message: string) {
    super("unavailable", message);
  }
}

/** An answer was given up, since less was wanted of a line as slow as this. */
export class TooSlowError extends OtherWayError {}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class BrokerConnection {
  readonly #settings: KafkaSettings;
  readonly #address: Address;
  readonly #turn: Turn;
  readonly #opened: Promise<Opened>;
  readonly #clientId: Buffer;
  readonly #connectMs: number;
  /** Aborts when the connection is closed. */
  readonly #closing = new AbortController();
  /** What rejects the requests that aren't answered yet. */
  readonly #unanswered = new Set<(why: Error) => void>();
  #pool: ConnectionPool | undefined;
  /** Below TLS, if there is any: of a TLS record nothing is heard before it is whole, and a slow line takes its time. */
  #tcp: Socket | undefined;
  #socket: Socket | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #throttle = new Throttle();
  #bytesHeard = 0;
  #wasOpen = false;
  /** What is listened for just now, or was last. */
  #hearing: Hearing | undefined;
  #look: NodeJS.Timeout | undefined;

  /**
   * Connects, and rejects what is sent where that fails.
   * @param turn When it may.
   */
  constructor(settings: KafkaSettings, address: Address, turn: Turn = AT_ONCE) {
    this.#settings = settings;
    this.#address = address;
    this.#turn = turn;
    this.#clientId = Buffer.from(settings.clientId);
    this.#connectMs = settings.limits?.connectMs ?? CONNECT_MS;
    this.#opened = this.#open();
    this.#opened.catch((error) => this.#fail(error));
  }

  /** Whether it was ever ready: before that nothing was sent. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** Once closed, by either side, it stays so. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** How long the broker wants to be left alone; nothing is sent meanwhile. */
  get quietMs(): number {
    return this.closed ? 0 : this.#throttle.leftMs(performance.now());
  }

  /** Whether the broker said with its last answer that it wants to be left alone. */
  get isThrottled(): boolean {
    return this.#throttle.isOn;
  }

  /** Another number after every sign of life: bytes that came, or time for which the broker wants to be left alone. */
  get signs(): number {
    return this.#bytesHeard + this.quietMs;
  }

  /** How the present answer is coming, or how the last one came. */
  get heard(): Heard {
    return this.#hearing?.heard ?? { bytes: 0, ms: 0, longestGapMs: 0 };
  }

  /**
   * Sends a request once those before it are answered: a broker answers in order anyway, and kafkajs would mix
   * up its own authentication with answers that are still to come. Rejects with what went wrong: the connection
   * is then closed.
   */
  send<T>(request: Request<T>): Promise<T> {
    if (this.closed) return Promise.reject(this.#closing.signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#unanswered.add(reject);
    this.#last = this.#last
      .then(() => this.#send(request))
      .then(
        (answer) => {
          this.#unanswered.delete(reject);
          resolve(answer);
        },
        (error) => this.#fail(error),
      );
    return promise;
  }

  /** Nobody needs it any more. @param why What requests that aren't answered are rejected with. */
  close(why = new Error("the connection was closed")): void {
    this.#end(why, undefined);
  }

  /** It has failed, or the broker ended it. */
  #fail(why: Error): void {
    this.#end(why, why);
  }

  #end(why: Error, failure: Error | undefined): void {
    if (this.closed) return;
    this.#closing.abort(why);
    clearTimeout(this.#look);
    this.#pool?.map((connection) => connection.rejectRequests(why));
    this.#socket?.destroy();
    this.#tcp?.destroy();
    // What is left of it are timers.
    this.#pool?.destroy().catch(() => {});
    this.#turn.ended(failure);
    for (const reject of this.#unanswered) reject(why);
    this.#unanswered.clear();
  }

  async #open(): Promise<Opened> {
    await this.#turn.granted;
    this.#closing.signal.throwIfAborted();
    const silenceMs = this.#settings.limits?.connectMs ?? this.#turn.silenceMs;
    const { broker, connection } = await this.#listening(silenceMs, async () => {
      const pool = this.#newPool(await this.#dial(), await this.#credentials());
      this.#pool = pool;
      const broker = new Broker({ connectionPool: pool, logger: SILENT, allowAutoTopicCreation: false });
      await broker.connect();
      return { broker, connection: await pool.getConnection() };
    });
    // Ends its search for what is late.
    connection.requestQueue.destroy();
    this.#turn.opened();
    this.#wasOpen = true;
    return { connection, versions: broker.versions ?? {} };
  }

  async #dial(): Promise<Socket> {
    const tcp = connectTcp(this.#address);
    this.#tcp = tcp;
    tcp.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
    tcp.on("error", (error) => this.#fail(error));
    // kafkajs does not listen to it.
    tcp.once("close", () => this.#fail(new Error("the broker closed the connection")));
    await once(tcp, "connect", { signal: this.#closing.signal });
    return tcp;
  }

  /** As they are now: files may hold others than when the last connection was made. kafkajs writes into the account. */
  async #credentials(): Promise<Credentials> {
    const { tls, sasl } = (await this.#settings.current?.()) ?? this.#settings;
    return { ...(tls && { tls }), ...(sasl && { sasl: { ...sasl } }) };
  }

  #newPool(tcp: Socket, { tls, sasl }: Credentials): ConnectionPool {
    const { clientId } = this.#settings;
    const { host, port } = this.#address;
    const pool = new ConnectionPool({
      host,
      port,
      ssl: tls,
      sasl,
      clientId,
      connectionTimeout: this.#connectMs,
      requestTimeout: this.#connectMs,
      logger: SILENT,
      socketFactory: ({ ssl, onConnect }) => {
        const servername = isIP(host) ? {} : { servername: host };
        const socket = ssl ? connectTls({ socket: tcp, host, ...servername, ...ssl }, onConnect) : tcp;
        if (socket === tcp) process.nextTick(onConnect);
        socket.on("error", (error) => this.#fail(error));
        socket.on("data", () => this.#hear());
        this.#socket = socket;
        return socket;
      },
    });
    // kafkajs holds back what is sent while a broker throttles that was just connected to, and what ends that is its timer,
    // which it sets after every answer with a negative length, of which Node warns. Instead the next request waits here.
    const told = (ms: number | undefined) => {
      if (ms !== undefined && ms > 0) this.#throttle.told(performance.now(), ms);
    };
    pool.map(({ requestQueue }) =>
      Object.assign(requestQueue, { scheduleCheckPendingRequests() {}, maybeThrottle: told }),
    );
    return pool;
  }

  async #send<T>(asked: Request<T>): Promise<T> {
    const { connection, versions } = await this.#opened;
    const { newer } = asked;
    const isNewer = newer !== undefined && newer.version <= (versions[newer.key]?.maxVersion ?? -1);
    const request = isNewer ? newer : asked;
    const { name, key, version, silenceMs = SILENCE_MS, decode } = request;
    const known = versions[key];
    if (known === undefined || version < known.minVersion || version > known.maxVersion)
      throw new UnsupportedError(
        `the broker is older than Kafka 3.1: it has no ${name} request of version ${version}`,
      );
    // A broker that throttles has answered already, and won't listen meanwhile.
    if (this.quietMs > 0) await setTimeout(this.quietMs, undefined, { signal: this.#closing.signal });
    if (this.#throttle.isDeaf) this.close(new OtherWayError("the broker throttles this connection for long"));
    this.#closing.signal.throwIfAborted();
    // Again, once as much time has passed as the broker allows.
    if (this.#settings.sasl !== undefined && !connection.isAuthenticated())
      await this.#listening(this.#connectMs, async () => {
        const { sasl } = await this.#credentials();
        await Object.assign(connection, { sasl }).authenticate();
      });
    const bytes = await this.#listening(
      silenceMs,
      () => this.#exchange(connection, request),
      (heard) => request.giveUp?.(heard, connection.bytesNeeded) === true,
    );
    this.#turn.answered();
    const { throttleMs, answer } = decode(new WireReader(bytes));
    this.#throttle.told(performance.now(), throttleMs);
    return answer;
  }

  #exchange<T>(connection: KafkaConnection, request: Request<T>): Promise<Buffer> {
    const { name, key, version } = request;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const correlationId = connection.nextCorrelationId();
    const entry = {
      apiKey: key,
      apiName: name,
      apiVersion: version,
      correlationId,
      resolve: ({ payload }: { payload: Buffer }) => resolve(payload),
      reject,
    };
    const bytes = this.#frame(request, correlationId);
    const sendRequest = () => this.#socket?.write(bytes);
    // Its own deadline was ended when it had connected.
    connection.requestQueue.push({ entry, expectResponse: true, requestTimeout: 0, sendRequest });
    return promise;
  }

  /** What takes its time because of the broker: the connection is closed if that falls silent. */
  async #listening<T>(
    silenceMs: number,
    act: () => Promise<T>,
    giveUp: (heard: Heard) => boolean = () => false,
  ): Promise<T> {
    // It may have been closed while something else was waited for.
    this.#closing.signal.throwIfAborted();
    const hearing = new Hearing(performance.now(), silenceMs);
    this.#hearing = hearing;
    const look = () => {
      this.#hear();
      const verdict = hearing.look(performance.now());
      if (verdict === "silent") this.#fail(new SilentError(`the broker has been silent for ${silenceMs} ms`));
      else if (verdict === "trickle")
        this.#fail(new SilentError("the broker's answer does not come, but drips"));
      else if (giveUp(hearing.heard)) this.close(new TooSlowError("the answer was given up to ask for less"));
      else this.#look = startTimer(look, verdict.lookInMs);
    };
    this.#look = startTimer(look, hearing.firstLookMs);
    try {
      return await act();
    } finally {
      clearTimeout(this.#look);
    }
  }

  #hear(): void {
    const bytes = (this.#tcp?.bytesRead ?? 0) - this.#bytesHeard;
    if (bytes <= 0) return;
    this.#bytesHeard += bytes;
    this.#hearing?.hear(performance.now(), bytes);
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

/** A connection that is ready, and which requests the broker knows, by their keys. */
interface Opened {
  readonly connection: KafkaConnection;
  readonly versions: NonNullable<Broker["versions"]>;
}

/** What is wrong reaches the caller; kafkajs has nothing of its own to say. */
const SILENT = {
  namespace: () => SILENT,
  info() {},
  error() {},
  warn() {},
  debug() {},
};
