/**
 * A WebSocket that receives at little cost, so that thousands of clients fit beside what they measure: one read
 * buffer for all sockets of the process, no stream, no event and no copy between the kernel and the message, but for
 * one that arrives in pieces. RFC 6455 as far as servers send it: no extension, no fragments.
 */
import { randomBytes } from "node:crypto";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface Listener {
  /** The handshake is done. */
  open(): void;
  /** `bytes` holds the message only until the call returns. `wire`: how many bytes it was with its frame. */
  message(bytes: Buffer, isText: boolean, wire: number): void;
  /** Once, in any case; the code of WebSocket where the server said one. `problem` is for people. */
  closed(code: number | undefined, problem: string): void;
}

export interface Dialled {
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  /** The address of this machine that it comes from. */
  readonly localAddress?: string | undefined;
}

const READ_BYTES = 256 * 1024;
const shared = Buffer.allocUnsafe(READ_BYTES);

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

export class LeanWebSocket {
  readonly #listener: Listener;
  readonly #socket: Socket;
  #rest: Buffer | undefined;
  #open = false;
  #closed = false;

  constructor(url: URL, protocol: string | undefined, listener: Listener, dialled: Dialled = {}) {
    const { token, localAddress } = dialled;
    this.#listener = listener;
    const secure = url.protocol === "wss:" || url.protocol === "https:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port || (secure ? 443 : 80));
    const to = { host, port, ...(localAddress !== undefined && { localAddress }) };
    if (secure) {
      this.#socket = connectTls({ ...to, ...(isIP(host) === 0 && { servername: host }) });
      this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    } else {
      // Read and handled before the next socket is read, so that all can share a buffer.
      const callback = (length: number) => {
        this.#read(shared.subarray(0, length));
        return true;
      };
      this.#socket = connect({ ...to, onread: { buffer: shared, callback } });
    }
    this.#socket.setNoDelay(true);
    this.#socket.once("error", (error) => this.#end(undefined, error.message));
    this.#socket.once("close", () => this.#end(undefined, "the connection ended"));
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
      ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  send(text: string): void {
    this.#frame(TEXT, Buffer.from(text));
  }

  /** Goes without a word. */
  cut(): void {
    this.#end(undefined, "cut");
  }

  /** Masked with zeros: masks protect from proxies, and there is none on the way. No client sends 64 KiB. */
  #frame(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const size = length > 125 ? [0x80 | 126, length >> 8, length & 0xff] : [0x80 | length];
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...size, 0, 0, 0, 0]), payload]));
  }

  #end(code: number | undefined, problem: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#listener.closed(code, problem);
  }

  #read(chunk: Buffer): void {
    if (this.#closed) return;
    let bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    if (!this.#open) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) {
        this.#keep(bytes);
        return;
      }
      const status = bytes.toString("latin1", 9, 12);
      if (status !== "101") {
        this.#end(undefined, `the server answered ${status}`);
        return;
      }
      this.#open = true;
      bytes = bytes.subarray(end + 4);
      this.#listener.open();
    }
    this.#frames(bytes);
  }

  #frames(bytes: Buffer): void {
    let at = 0;
    while (bytes.length - at >= 2 && !this.#closed) {
      const first = bytes[at] ?? 0;
      let length = bytes[at + 1] ?? 0;
      let start = at + 2;
      if (length === 126) {
        if (bytes.length - at < 4) break;
        length = bytes.readUInt16BE(start);
        start += 2;
      } else if (length === 127) {
        if (bytes.length - at < 10) break;
        length = Number(bytes.readBigUInt64BE(start));
        start += 8;
      }
      const end = start + length;
      if (bytes.length < end) break;
      this.#take(first, bytes.subarray(start, end), end - at);
      at = end;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
  }

  #take(first: number, payload: Buffer, wire: number): void {
    const opcode = first & 0x0f;
    if ((first & 0xf0) !== 0x80) this.#end(undefined, "a frame is fragmented, or of an extension");
    else if (opcode === TEXT || opcode === BINARY) this.#listener.message(payload, opcode === TEXT, wire);
    else if (opcode === PING) this.#frame(PONG, payload);
    else if (opcode === CLOSE)
      this.#end(payload.length >= 2 ? payload.readUInt16BE(0) : 1005, payload.toString("utf8", 2));
  }

  /** What is kept must not lie in the buffer that the next socket is read into. */
  #keep(bytes: Buffer): void {
    this.#rest = Buffer.from(bytes);
  }
}
