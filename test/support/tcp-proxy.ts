/**
 * A TCP proxy whose connections can be cut, delayed, slowed down or silenced: what a network does to those who talk over it.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What a slow line carries of one connection before another one has its turn. */
const PIECE_BYTES = 2_048;
/** What a middlebox does once it has forgotten a connection: who still uses it hears that it is none. */
const FORGET_MS = 5_000;

export class TcpProxy {
  readonly port: number;
  /** Where it leads to, on loopback; connections that come before it is set are refused. */
  target: number | undefined;
  /** What is on its way takes so much longer, in each direction. */
  delayMs = 0;
  readonly #line = new Line();
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

  /** What the way back carries, all connections together; undefined for as much as comes. */
  set bytesPerSecond(bytesPerSecond: number | undefined) {
    this.#line.bytesPerSecond = bytesPerSecond;
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

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    if (this.#server.listening) await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    if (this.target === undefined) {
      client.resetAndDestroy();
      return;
    }
    // Whom nobody answers must not find out from a refused connection either.
    const server = connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const pair = new Pair(client, server, () => this.delayMs, this.#line);
    pair.silent = this.#silent;
    this.#pairs.add(pair);
    pair.gone = () => this.#pairs.delete(pair);
  }
}

/** What connections share that go over one slow line. */
class Line {
  bytesPerSecond: number | undefined;
  #freeAt = 0;

  get isSlow(): boolean {
    return this.bytesPerSecond !== undefined;
  }

  /** Resolves when so many bytes have gone over it, after all that asked before. */
  async turn(bytes: number): Promise<void> {
    if (this.bytesPerSecond === undefined) return;
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now) + (bytes / this.bytesPerSecond) * 1_000;
    await new Promise((resolve) => setTimeout(resolve, this.#freeAt - now));
  }
}

class Pair {
  silent = false;
  gone: () => void = () => {};
  readonly #sockets: readonly [Socket, Socket];
  #over = false;

  constructor(client: Socket, server: Socket, delayMs: () => number, back: Line) {
    this.#sockets = [client, server];
    this.#pass(client, server, delayMs, undefined);
    this.#pass(server, client, delayMs, back);
  }

  reset(): void {
    if (this.#over) return;
    this.#over = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.gone();
  }

  #pass(from: Socket, to: Socket, delayMs: () => number, line: Line | undefined): void {
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
    const slowly = async (slow: Line, bytes: Buffer) => {
      for (let at = 0; at < bytes.length && !this.#over; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        await slow.turn(piece.length);
        if (!this.silent && !this.#over) to.write(piece);
      }
      queued--;
      from.resume();
    };
    from.on("data", (bytes: Buffer) => {
      if (this.silent) return;
      if (line?.isSlow) {
        from.pause();
        queued++;
        last = last.then(() => slowly(line, bytes));
        return;
      }
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
}
