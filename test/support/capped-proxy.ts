/**
 * What speaks Kafka's protocol, but in other versions: a broker behind a proxy that tells of the versions that it is given, and
 * ends a connection on which another one is asked for.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const API_VERSIONS = 18;
/** Of a request: how long it is, its key, its version, its number. */
const HEADER = { key: 4, version: 6, number: 8 } as const;

/** By a request's key; what is left out isn't there. */
export type Caps = Readonly<Record<number, readonly [oldest: number, newest: number]>>;

export class CappedProxy {
  readonly port: number;
  target: number | undefined;
  caps: Caps = {};
  /** Whether the broker is one for TLS, which ends here. */
  overTls = false;
  /** How often each request was passed on. */
  readonly passed = new Map<number, number>();
  /** Requests that were sent though they aren't there. */
  readonly strangers: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async open(): Promise<CappedProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new CappedProxy(server, address.port);
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (client) => this.#accept(client));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    const to = { port: this.target ?? 0, host: "127.0.0.1", noDelay: true };
    const broker = this.overTls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
    const asked = new Set<number>();
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    eachFrame(client, (frame) => {
      const [key, version] = [frame.readInt16BE(HEADER.key), frame.readInt16BE(HEADER.version)];
      const [oldest, newest] = this.caps[key] ?? [0, -1];
      if (key === API_VERSIONS) asked.add(frame.readInt32BE(HEADER.number));
      else if (version < oldest || version > newest) {
        this.strangers.push(`${key} of version ${version}`);
        client.destroy();
        return;
      }
      this.passed.set(key, (this.passed.get(key) ?? 0) + 1);
      broker.write(frame);
    });
    eachFrame(broker, (frame) => {
      client.write(asked.delete(frame.readInt32BE(4)) ? this.#capped(frame) : frame);
    });
  }

  /** An answer to ApiVersions of the versions 0 to 2: length, number, error, keys with two versions each, and what follows. */
  #capped(frame: Buffer): Buffer {
    if (frame.readInt16BE(8) !== 0) return frame;
    const entries: Buffer[] = [];
    const end = 14 + 6 * frame.readInt32BE(10);
    for (let at = 14; at < end; at += 6) {
      const cap = this.caps[frame.readInt16BE(at)];
      if (cap === undefined) continue;
      const entry = Buffer.from(frame.subarray(at, at + 6));
      entry.writeInt16BE(Math.max(cap[0], entry.readInt16BE(2)), 2);
      entry.writeInt16BE(Math.min(cap[1], entry.readInt16BE(4)), 4);
      entries.push(entry);
    }
    const head = Buffer.from(frame.subarray(0, 14));
    head.writeInt32BE(entries.length, 10);
    const bytes = Buffer.concat([head, ...entries, frame.subarray(end)]);
    bytes.writeInt32BE(bytes.length - 4, 0);
    return bytes;
  }
}

/** Calls back with each whole frame, its length included. */
function eachFrame(socket: Socket, handle: (frame: Buffer) => void): void {
  let parts: Buffer[] = [];
  let length = 0;
  socket.on("data", (part: Buffer) => {
    parts.push(part);
    length += part.length;
    // Large answers come in many parts: they are put together once.
    const first = parts[0] ?? part;
    if (first.length >= 4 && length < 4 + first.readInt32BE(0)) return;
    let bytes = Buffer.concat(parts);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0);
      handle(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
    }
    parts = [bytes];
    length = bytes.length;
  });
}
