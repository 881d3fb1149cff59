/** A broker that answers as a test tells it, byte by byte: what a real one does too seldom to wait for. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import { ApiWriter } from "../../origin/kafka/api-writer.ts";

export const API = {
  fetch: 1,
  metadata: 3,
  saslHandshake: 17,
  apiVersions: 18,
  saslAuthenticate: 36,
} as const;

export type ApiName = keyof typeof API;

/** What is done with a request: the answer's body, or nothing, whose test has the socket. */
export type Answer = (socket: Socket, correlation: Buffer, request: Buffer) => Buffer | undefined;

export class ScriptedBroker {
  readonly port: number;
  /** How requests are answered; those that are left out aren't. */
  readonly answers: Partial<Record<ApiName, Answer>> = {
    apiVersions: () => versions(0),
    saslHandshake: () => saslHandshake(),
    saslAuthenticate: () => saslAuthenticate(0),
    fetch: () => fetchAnswer(0),
  };
  /** Requests in the order in which they came. */
  readonly asked: ApiName[] = [];
  readonly sockets: Socket[] = [];
  /** What is done with a connection as soon as it is there. */
  accept: (socket: Socket) => void = () => {};
  readonly #server: Server;
  #changed = Promise.withResolvers<void>();

  /** @param identity With which it speaks TLS. */
  static async start(identity?: { readonly cert: string; readonly key: string }): Promise<ScriptedBroker> {
    const server = identity === undefined ? createServer() : createTlsServer(identity);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new ScriptedBroker(server, address.port);
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
      this.sockets.push(socket);
      socket.on("error", () => {});
      this.#change();
      this.accept(socket);
      this.#listen(socket);
    });
  }

  get address() {
    return { host: "127.0.0.1", port: this.port };
  }

  /** Resolves once the `nth` (from 1) request of this name has come. */
  async until(name: ApiName, nth = 1): Promise<void> {
    while (this.asked.filter((one) => one === name).length < nth) await this.#changed.promise;
  }

  async connected(): Promise<void> {
    while (this.sockets.length === 0) await this.#changed.promise;
  }

  /** Nobody listens any more. */
  async refuse(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  async stop(): Promise<void> {
    await this.refuse();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #listen(socket: Socket): void {
    let bytes = Buffer.alloc(0);
    socket.on("data", (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const request = bytes.subarray(4, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(4 + request.length);
        this.#answer(socket, request);
      }
    });
  }

  #answer(socket: Socket, request: Buffer): void {
    const key = request.readInt16BE(0);
    const name = (Object.keys(API) as ApiName[]).find((one) => API[one] === key);
    if (name === undefined) throw new Error(`nobody asks for ${key}`);
    this.asked.push(name);
    const correlation = Buffer.from(request.subarray(4, 8));
    const body = this.answers[name]?.(socket, correlation, request);
    if (body !== undefined) socket.write(frame(correlation, body));
    this.#change();
  }
}

/** An answer as it travels. */
export function frame(correlation: Buffer, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([length, correlation, body]);
}

/** All that it knows, and in which versions. */
export function versions(throttleMs: number): Buffer {
  const known: [key: number, newest: number][] = [
    [API.fetch, 13],
    [API.metadata, 12],
    [API.saslHandshake, 1],
    [API.apiVersions, 0],
    [API.saslAuthenticate, 1],
  ];
  const body = Buffer.alloc(6 + 6 * known.length + 4);
  body.writeInt32BE(known.length, 2);
  body.writeInt32BE(throttleMs, body.length - 4);
  for (const [i, [key, newest]] of known.entries()) {
    body.writeInt16BE(key, 6 + 6 * i);
    body.writeInt16BE(newest, 10 + 6 * i);
  }
  return body;
}

function saslHandshake(): Buffer {
  const mechanism = Buffer.from("PLAIN");
  const body = Buffer.alloc(8 + mechanism.length);
  body.writeInt32BE(1, 2);
  body.writeInt16BE(mechanism.length, 6);
  body.set(mechanism, 8);
  return body;
}

/** @param sessionMs After which a client must say again who it is; 0 if never. */
export function saslAuthenticate(sessionMs: number): Buffer {
  const body = Buffer.alloc(2 + 2 + 4 + 8);
  body.writeInt16BE(-1, 2);
  body.writeBigInt64BE(BigInt(sessionMs), 8);
  return body;
}

/**
 * Of one topic's partitions what they hold; one that names none is what a broker gives that throttles.
 * @param session Its id and, of the answer as a whole, its error.
 */
export function fetchAnswer(
  throttleMs: number,
  topicId?: Buffer,
  partitions: readonly { readonly partition: number; readonly records: Buffer }[] = [],
  session = { id: 0, error: 0 },
): Buffer {
  const writer = new ApiWriter(13, true);
  writer.tags().int32(throttleMs).int16(session.error).int32(session.id);
  writer.array(topicId === undefined ? [] : [topicId], (id) => {
    writer.uuid(id);
    writer.array(partitions, ({ partition, records }) => {
      writer.int32(partition).int16(0).int64(1).int64(1).int64(0);
      writer.array([], () => {}).int32(-1);
      writer.bytesField(records).tags();
    });
    writer.tags();
  });
  return writer.tags().bytes;
}
