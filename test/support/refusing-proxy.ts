/** A Kafka that has no transactions, as some that only speak its protocol: a broker behind a proxy that refuses InitProducerId. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { WRITE_ERROR } from "../../origin/kafka/produce-requests.ts";

const INIT_PRODUCER_ID = 22;

export class RefusingProxy {
  readonly port: number;
  target: number | undefined;
  /** How often it has refused. */
  refusals = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async open(): Promise<RefusingProxy> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new RefusingProxy(server, address.port);
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
    const server = connect({ port: this.target ?? 0, host: "127.0.0.1", noDelay: true });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    server.on("data", (bytes) => void client.write(bytes));
    let heard = Buffer.alloc(0);
    client.on("data", (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes]);
      while (heard.length >= 4 && heard.length >= 4 + heard.readInt32BE(0)) {
        const request = heard.subarray(0, 4 + heard.readInt32BE(0));
        heard = heard.subarray(request.length);
        // Who asks sends one request at a time, so that answers come in order.
        if (request.readInt16BE(4) === INIT_PRODUCER_ID) client.write(this.#refusal(request.subarray(8, 12)));
        else server.write(request);
      }
    });
  }

  /** As of version 4: tags, throttle time, error, producer and its epoch, tags. */
  #refusal(correlation: Buffer): Buffer {
    this.refusals++;
    const body = Buffer.alloc(1 + 4 + 2 + 8 + 2 + 1);
    body.writeInt16BE(WRITE_ERROR.unsupportedVersion, 5);
    body.writeBigInt64BE(-1n, 7);
    body.writeInt16BE(-1, 15);
    const length = Buffer.alloc(4);
    length.writeInt32BE(correlation.length + body.length);
    return Buffer.concat([length, correlation, body]);
  }
}
