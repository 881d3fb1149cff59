/**
 * One connection to one broker. kafkajs connects, with TLS and SASL if these are wanted. Requests are exchanged and timed here:
 * kafkajs's way takes three buffers and a dozen promises for each, and looks for what is late ten times a second on every
 * connection.
 *
 * Every request settles: `close` rejects all that aren't answered, whatever they wait for just then, and everything
 * that can end a connection ends in `close`. What kafkajs does is never relied on for that.
 */
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { TIME_LIMITS } from "../time-limits.ts";
import { chosenVersion, shortcomings, UnsupportedError, unreadable, type Versions } from "./apis.ts";
import { OtherWayError } from "./broken-off.ts";
import { AT_ONCE, type Turn } from "./dial-gate.ts";
import type { Heard } from "./hearing.ts";
import { type Address, Kafkajs, type Opened } from "./kafkajs.ts";
import { Listening } from "./listening.ts";
import { answerOf, type Request } from "./request.ts";
import type { Credentials, KafkaSettings } from "./settings.ts";
import { Throttle } from "./throttle.ts";

/** A broker that sends not a byte for so long, while we say anew who we are, or it is asked, is taken for dead. */
const CONNECT_MS = TIME_LIMITS.brokerConnectMs;
const SILENCE_MS = TIME_LIMITS.brokerSilentMs;
const KEEP_ALIVE_MS = TIME_LIMITS.brokerKeepAliveMs;

/** What sockets are read into, each at once, and copied from. */
const READ_INTO = Buffer.allocUnsafeSlow(64 * 1024);

export class BrokerConnection {
  readonly #settings: KafkaSettings;
  readonly #address: Address;
  readonly #turn: Turn;
  readonly #opened: Promise<Ready>;
  readonly #connectMs: number;
  /** Aborts when the connection is closed. */
  readonly #closing = new AbortController();
  #isClosed = false;
  /** What fails the requests that aren't answered yet. */
  #unanswered: ((why: Error) => void)[] = [];
  #kafkajs: Kafkajs | undefined;
  /** Below TLS, if there is any: of a TLS record nothing is heard before it is whole, and a slow line takes its time. */
  #tcp: Socket | undefined;
  /** Once it is open. */
  #ready: Ready | undefined;
  /** Whether a request is under way. */
  #isAsking = false;
  /** What makes those that wait for its answer. */
  #queue: (() => void)[] = [];
  readonly #throttle = new Throttle();
  #bytesHeard = 0;
  #wasOpen = false;
  readonly #listening = new Listening({
    listen: () => this.#hear(),
    failed: (error) => this.#fail(error),
    gaveUp: (error) => this.close(error),
  });

  /**
   * Connects, and rejects what is sent if that fails.
   * @param turn When it may.
   */
  constructor(settings: KafkaSettings, address: Address, turn: Turn = AT_ONCE) {
    this.#settings = settings;
    this.#address = address;
    this.#turn = turn;
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
    return this.#isClosed;
  }

  /** How long the broker wants to be left alone; nothing is sent meanwhile. */
  get quietMs(): number {
    return this.closed || !this.#throttle.wasOn ? 0 : this.#throttle.leftMs(performance.now());
  }

  /** Whether the broker said with its last answer that it wants to be left alone. */
  get isThrottled(): boolean {
    return this.#throttle.isOn;
  }

  /** Another number after every sign of life: bytes that came, or time for which the broker wants to be left alone. */
  get signs(): number {
    return this.#bytesHeard + this.quietMs;
  }

  /** Which versions the broker knows. Rejects if it can't be connected to. */
  versions(): Promise<Versions> {
    if (this.closed) return Promise.reject(this.#closing.signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<Versions>();
    this.#unanswered.push(reject);
    this.#opened.then(({ versions }) => {
      this.#settled(reject);
      resolve(versions);
    }, reject);
    return promise;
  }

  /** How the present answer is coming, or how the last one came. */
  get heard(): Heard {
    return this.#listening.heard;
  }

  /**
   * Sends a request once those before it are answered: a broker answers in order anyway, and kafkajs would mix
   * up its own authentication with answers that are still to come. Rejects with UnsupportedError if the broker has no
   * such request, else with what went wrong: the connection is then closed.
   */
  send<T>(request: Request<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.ask(request, resolve, reject);
    return promise;
  }

  /** The same without a promise: calls one of the two, once, in the step in which the answer comes. They must not throw. */
  ask<T>(request: Request<T>, answered: (answer: T) => void, failed: (why: Error) => void): void {
    if (this.closed) {
      failed(this.#closing.signal.reason);
      return;
    }
    this.#unanswered.push(failed);
    const taken = (answer: T) => {
      this.#settled(failed);
      answered(answer);
      this.#goOn();
    };
    const refused = (error: unknown) => {
      if (!(error instanceof UnsupportedError))
        return this.#fail(error instanceof Error ? error : new Error(String(error)));
      // It wasn't sent, which is no reason to end what others use.
      this.#settled(failed);
      failed(error);
      this.#goOn();
    };
    const go = () => {
      const ready = this.#ready;
      // As nearly always: then it goes at once, and nothing is waited for but its answer.
      if (ready !== undefined && !this.#mustWait(ready)) this.#exchange(ready, request, taken, refused);
      else this.#whenReady().then((opened) => this.#exchange(opened, request, taken, refused), refused);
    };
    if (this.#isAsking) this.#queue.push(go);
    else {
      this.#isAsking = true;
      go();
    }
  }

  /** A request was answered. */
  #goOn(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#isAsking = false;
    else next();
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
    this.#isClosed = true;
    this.#closing.abort(why);
    this.#listening.close();
    this.#kafkajs?.end(why);
    this.#tcp?.destroy();
    this.#turn.ended(failure);
    const unanswered = this.#unanswered;
    this.#unanswered = [];
    this.#queue = [];
    for (const fail of unanswered) fail(why);
  }

  /** There are never more than a few. */
  #settled(fail: (why: Error) => void): void {
    const at = this.#unanswered.indexOf(fail);
    if (at >= 0) this.#unanswered.splice(at, 1);
  }

  async #open(): Promise<Ready> {
    await this.#turn.granted;
    this.#closing.signal.throwIfAborted();
    const silenceMs = this.#settings.limits?.connectMs ?? this.#turn.silenceMs;
    const opened = await this.#unlessSilent(silenceMs, async () => {
      const credentials = await this.#credentials();
      const kafkajs = this.#newKafkajs(await this.#dial(credentials.tls === undefined), credentials);
      this.#kafkajs = kafkajs;
      return { kafkajs, ...(await kafkajs.connect()) };
    });
    this.#turn.opened();
    this.#wasOpen = true;
    this.#ready = opened;
    const { lacks } = this.#settings;
    if (lacks !== undefined)
      for (const what of [...unreadable(opened.versions), ...shortcomings(opened.versions)]) lacks(what);
    return opened;
  }

  async #dial(isPlain: boolean): Promise<Socket> {
    // As an event of its own, without the buffer and the queue that a stream makes for each of them.
    const callback = (length: number, bytes: Uint8Array): boolean => {
      // Not of Node's pool: a record that is kept would keep what else lies there.
      const came = Buffer.allocUnsafeSlow(length);
      came.set(length === bytes.length ? bytes : bytes.subarray(0, length));
      tcp.emit("data", came);
      return true;
    };
    const onread = isPlain ? { buffer: READ_INTO, callback } : undefined;
    const tcp = connectTcp({ ...this.#address, ...(onread && { onread }) });
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

  #newKafkajs(tcp: Socket, credentials: Credentials): Kafkajs {
    const { clientId } = this.#settings;
    const options = { address: this.#address, clientId, credentials, connectMs: this.#connectMs };
    return new Kafkajs(tcp, options, {
      failed: (error) => this.#fail(error),
      // Of TLS only what lies below it tells of every byte, and asking that takes a call of Node's own.
      heard: (bytes) => (credentials.tls === undefined ? this.#came(bytes) : this.#hear()),
      throttled: (ms) => this.#throttle.told(performance.now(), ms),
    });
  }

  /** Whether the broker wants to be left alone, or to be told again who asks. */
  #mustWait({ connection }: Ready): boolean {
    return this.quietMs > 0 || this.#throttle.isDeaf || this.#mustAuthenticate(connection);
  }

  #mustAuthenticate(connection: Opened["connection"]): boolean {
    return this.#settings.sasl !== undefined && !connection.isAuthenticated();
  }

  async #whenReady(): Promise<Ready> {
    const ready = this.#ready ?? (await this.#opened);
    // A broker that throttles has answered already, and won't listen meanwhile.
    // Timers cut off parts of a millisecond, and may come too soon by as much.
    while (this.quietMs > 0)
      await setTimeout(Math.ceil(this.quietMs), undefined, { signal: this.#closing.signal });
    if (this.#throttle.isDeaf) this.close(new OtherWayError("the broker throttles this connection for long"));
    this.#closing.signal.throwIfAborted();
    // Again, once as much time has passed as the broker allows.
    if (this.#mustAuthenticate(ready.connection))
      await this.#unlessSilent(this.#connectMs, async () => {
        const { sasl } = await this.#credentials();
        await Object.assign(ready.connection, { sasl }).authenticate();
      });
    return ready;
  }

  /** Calls one of the two, once; neither if the connection ends before. */
  #exchange<T>(
    { kafkajs, connection, versions }: Ready,
    request: Request<T>,
    answered: (answer: T) => void,
    failed: (error: unknown) => void,
  ): void {
    const { name, silenceMs = SILENCE_MS } = request;
    try {
      const version = chosenVersion(name, versions, request.versions);
      this.#listening.begin(silenceMs, (heard) => request.giveUp?.(heard, kafkajs.bytesWanted) === true);
      kafkajs.exchange(connection, request, version, (bytes) => {
        this.#listening.end();
        this.#turn.answered();
        let answer: T;
        try {
          const read = answerOf(request, version, bytes);
          const { throttleMs } = read;
          answer = read.answer;
          if (throttleMs > 0 || this.#throttle.isOn) this.#throttle.told(performance.now(), throttleMs);
        } catch (error) {
          return failed(error);
        }
        answered(answer);
      });
    } catch (error) {
      failed(error);
    }
  }

  /** What takes its time because of the broker: the connection is closed if that falls silent. */
  async #unlessSilent<T>(silenceMs: number, act: () => Promise<T>): Promise<T> {
    // It may have been closed while something else was waited for.
    this.#closing.signal.throwIfAborted();
    this.#listening.begin(silenceMs);
    try {
      return await act();
    } finally {
      this.#listening.end();
    }
  }

  #hear(): void {
    const bytes = (this.#tcp?.bytesRead ?? 0) - this.#bytesHeard;
    if (bytes > 0) this.#came(bytes);
  }

  #came(bytes: number): void {
    this.#bytesHeard += bytes;
    this.#listening.hear(bytes);
  }
}

interface Ready extends Opened {
  readonly kafkajs: Kafkajs;
}
