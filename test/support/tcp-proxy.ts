/**
 * A TCP proxy whose connections can be cut, delayed or silenced: what a network does to those who talk over it.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What a middlebox does once it has forgotten a connection: who still uses it hears that it is none. */
const FORGET_MS = 5_000;

export class TcpProxy {
  readonly port: number;
  /** Where it leads to, on loopback; connections that come before it is set are refused. */
  target: number | undefined;
  /** What is on its way takes so much longer, in each direction. */
  delayMs = 0;
  /** Of what comes from the target, over all connections; undefined if nothing slows it. */
  bytesPerSecond: number | undefined;
  /** The same of what goes to it. */
  bytesPerSecondTo: number | undefined;
  /** From now on what comes from the target gets lost, and what goes to it arrives. To be ended by a cut: streams have holes. */
  losesAnswers = false;
  /**
   * Of what comes from the target, over all connections, so many bytes pass; then the one is reset that brings the next. It is
   * asked again after each such cut. undefined: none is.
   */
  cutsAfter: (() => number) | undefined;
  /** Connections that were reset so. */
  cuts = 0;
  /** What passes before the next. */
  #left: number | undefined;
  /** When the line is free for the next bytes, in either direction. */
  readonly #freeAt = { from: 0, to: 0 };
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #silent = false;

  static async open(target?: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new TcpProxy(server, address.port, target);
  }

  private constructor(server: Server, port: number, target: number | undefined) {
    this.#server = server;
    this.port = port;
    this.target = target;
    server.on("connection", (client) => this.#accept(client));
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets every connection. */
  cut(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  /**
   * From now on bytes get lost without a word, and closes with them. Ended by `speak`: new connections are as they
   * should be then, the silent ones stay so, until they are forgotten.
   */
  silence(): void {
    this.#silent = true;
    for (const pair of this.#pairs) pair.silent = true;
  }

  speak(): void {
    this.#silent = false;
    const silent = [...this.#pairs].filter((pair) => pair.silent);
    setTimeout(() => {
      for (const pair of silent) pair.reset();
    }, FORGET_MS).unref();
  }

  /** From now on nobody listens, and what was open is reset. Ended by `listen`. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  /** How long bytes must wait until the line is free for them, and has passed them. */
  #pace(direction: "from" | "to", bytes: number): number {
    const perSecond = direction === "from" ? this.bytesPerSecond : this.bytesPerSecondTo;
    if (perSecond === undefined) return 0;
    const now = performance.now();
    // Timers are late on a busy machine, and the line shall be no slower for it.
    const freeAt = Math.max(now - LATE_MS, this.#freeAt[direction]) + (bytes / perSecond) * 1_000;
    this.#freeAt[direction] = freeAt;
    return Math.max(0, freeAt - now);
  }

  /** How many of so many bytes pass; what is less than all is the last of a connection. */
  #passing(bytes: number): number {
    if (this.cutsAfter === undefined) return bytes;
    const left = this.#left ?? Math.floor(this.cutsAfter());
    this.#left = left >= bytes ? left - bytes : undefined;
    if (left >= bytes) return bytes;
    this.cuts++;
    return left;
  }

  #accept(client: Socket): void {
    if (this.target === undefined) {
      client.resetAndDestroy();
      return;
    }
    // Whom nobody answers must not find out from a refused connection either.
    const server = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const pair = new Pair(client, server, {
      to: {
        delayMs: () => this.delayMs,
        isSlow: () => this.bytesPerSecondTo !== undefined,
        pace: (bytes) => this.#pace("to", bytes),
        isLost: () => false,
        passing: (bytes) => bytes,
      },
      from: {
        delayMs: () => this.delayMs,
        isSlow: () => this.bytesPerSecond !== undefined,
        pace: (bytes) => this.#pace("from", bytes),
        isLost: () => this.losesAnswers,
        passing: (bytes) => this.#passing(bytes),
      },
    });
    pair.silent = this.#silent;
    this.#pairs.add(pair);
    pair.gone = () => this.#pairs.delete(pair);
  }
}

interface Line {
  readonly delayMs: () => number;
  readonly isSlow: () => boolean;
  /** How long the next bytes take, in milliseconds. */
  readonly pace: (bytes: number) => number;
  /** Whether bytes get lost. */
  readonly isLost: () => boolean;
  /** How many of so many bytes pass before the connection is cut; all of them if it isn't. */
  readonly passing: (bytes: number) => number;
}

/** How late a timer may be. */
const LATE_MS = 50;
/** What a slow line passes at once. */
const SLICE_BYTES = 512;

class Pair {
  silent = false;
  gone: () => void = () => {};
  readonly #sockets: readonly [Socket, Socket];
  #over = false;

  constructor(client: Socket, server: Socket, lines: Readonly<Record<"to" | "from", Line>>) {
    this.#sockets = [client, server];
    this.#pass(client, server, lines.to);
    this.#pass(server, client, lines.from);
  }

  reset(): void {
    if (this.#over) return;
    this.#over = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.gone();
  }

  #pass(from: Socket, to: Socket, { delayMs, isSlow, pace, isLost, passing }: Line): void {
    let last: Promise<void> = Promise.resolve();
    let queued = 0;
    const later = (act: () => void) => {
      const due = performance.now() + delayMs();
      if (queued === 0 && delayMs() === 0) return act();
      queued++;
      last = last.then(async () => {
        const left = due - performance.now();
        if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
        queued--;
        act();
      });
    };
    from.on("data", (bytes) => {
      if (this.silent || isLost()) return;
      const passes = passing(bytes.length);
      if (passes < bytes.length) {
        from.pause();
        return later(() => void to.write(bytes.subarray(0, passes), () => this.reset()));
      }
      if (isSlow()) return void this.#drip(from, to, bytes, pace);
      later(() => {
        // What was delayed may go on coming while the other side is full.
        if (this.silent || this.#over || to.write(bytes) || from.isPaused()) return;
        from.pause();
        to.once("drain", () => from.resume());
      });
    });
    from.on("end", () => {
      if (!this.silent) later(() => to.end());
    });
    from.on("error", () => {
      if (!this.silent) this.reset();
    });
    from.on("close", () => {
      const [client, server] = this.#sockets;
      if (!this.silent && client.destroyed && server.destroyed) this.reset();
    });
  }

  /** Nothing more is read before these have gone. */
  async #drip(from: Socket, to: Socket, bytes: Buffer, pace: Line["pace"]): Promise<void> {
    from.pause();
    for (let at = 0; at < bytes.length && !this.silent && !this.#over; at += SLICE_BYTES) {
      const slice = bytes.subarray(at, at + SLICE_BYTES);
      await new Promise((resolve) => setTimeout(resolve, pace(slice.length)));
      if (!this.silent && !this.#over) to.write(slice);
    }
    from.resume();
  }
}
