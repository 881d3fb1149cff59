/** A proxy for HTTP as some networks have them: it lets no WebSocket pass, or nothing on one, and may keep answers until they are whole. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import type { Duplex } from "node:stream";

export class BlockingProxy {
  /** What becomes of a handshake: `mute`: it succeeds, and nothing is passed on after it. */
  upgrades: "pass" | "refuse" | "ignore" | "mute" = "refuse";
  /** Answers are passed on when they are whole. */
  holdsBack = false;
  /** What all requests are answered with, if it isn't undefined. */
  status: number | undefined;
  /** Handshakes, and other requests by their paths, so far. */
  handshakes = 0;
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket | Duplex>();

  static async open(target: string): Promise<BlockingProxy> {
    const proxy = new BlockingProxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((from, to) => this.#pass(from, to));
    this.#server.on("upgrade", (from, socket, head) => this.#upgrade(from, socket, head));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Whoever is connected isn't any more. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #pass(from: IncomingMessage, to: ServerResponse): void {
    this.asked.push(`${from.method} ${from.url}`);
    if (this.status !== undefined) {
      to.writeHead(this.status, { "Content-Type": "text/html" }).end("<html>this isn't for you</html>");
      return;
    }
    const { hostname, port } = this.#target;
    const headers = { ...from.headers, host: this.#target.host };
    const onward = request({ hostname, port, method: from.method, path: from.url, headers, agent: false });
    onward.on("response", (answer) => {
      const send = () => to.writeHead(answer.statusCode ?? 502, answer.headers);
      if (this.holdsBack) {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => send().end(Buffer.concat(chunks)));
      } else {
        send().flushHeaders();
        answer.pipe(to);
      }
      answer.on("error", () => to.destroy());
    });
    onward.on("error", () => to.destroy());
    to.on("close", () => onward.destroy());
    from.pipe(onward);
  }

  #upgrade(from: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.handshakes++;
    socket.on("error", () => {});
    if (this.upgrades === "ignore") return;
    if (this.upgrades === "refuse") {
      socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const onward = connect(Number(this.#target.port), this.#target.hostname);
    this.#sockets.add(onward);
    onward.on("error", () => socket.destroy());
    const lines = Object.entries(from.headers).map(([name, value]) => `${name}: ${String(value)}`);
    onward.write(`${from.method} ${from.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket);
    if (this.upgrades === "pass") socket.pipe(onward);
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
  }
}
