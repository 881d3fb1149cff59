/**
 * A WebSocket that is dialled again after every close (S10), and given up when nothing is heard on it (S11): what every
 * subscriber by PROTOCOL.md alone stands on. It shares no code with the product.
 */
import WebSocket from "ws";
import type { Said } from "./follower.ts";
import type { Random } from "./random.ts";
import type { Patience } from "./scale.ts";

/** How often it is looked what was heard. */
const LOOK_MS = 500;
const PING = '{"ping":1}';

export interface ResumingSocketPorts {
  readonly random: Random;
  readonly patience: Patience;
  /** When it dials first, in milliseconds from now. */
  readonly firstAfterMs?: number | undefined;
  /** It dials now, and where. */
  url(): string;
  opened(): void;
  frame(frame: Said): void;
  /** What was said on it will not be answered. */
  lost(): void;
  /** Whether an answer has been due for too long. */
  isOverdue(): boolean;
}

export class ResumingSocket {
  /** Close code → how often. */
  readonly closes = new Map<number, number>();
  readonly #ports: ResumingSocketPorts;
  #socket: WebSocket | undefined;
  #attempt = 0;
  /** Since something was heard, or it was dialled. */
  #looks = 0;
  #retry: NodeJS.Timeout | undefined;
  readonly #look: NodeJS.Timeout;
  #closed = false;
  #isAway = false;

  constructor(ports: ResumingSocketPorts) {
    this.#ports = ports;
    this.#look = setInterval(() => this.#watch(), LOOK_MS);
    // Whoever makes it has it before it is asked for anything.
    this.#retry = setTimeout(() => this.#dial(), ports.firstAfterMs);
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  send(message: string): void {
    this.#socket?.send(message);
  }

  /** It is of use: the next one that is lost is replaced soon. */
  served(): void {
    this.#attempt = 0;
  }

  /** Reads nothing, so that what is sent piles up; or reads again. */
  pause(paused: boolean): void {
    if (paused) this.#socket?.pause();
    else if (this.#socket?.isPaused) this.#socket.resume();
  }

  /** Has no connection from now on; or comes back. */
  stayAway(away: boolean): void {
    if (this.#isAway === away || this.#closed) return;
    this.#isAway = away;
    clearTimeout(this.#retry);
    if (away) this.#socket?.terminate();
    else if (this.#socket === undefined) this.#dial();
  }

  /** For good; resolves when no socket is left. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.close();
    const force = setTimeout(() => socket.terminate(), 1_000);
    await closed;
    clearTimeout(force);
  }

  #dial(): void {
    const socket = new WebSocket(this.#ports.url(), ["distributary.v1"], { perMessageDeflate: false });
    this.#socket = socket;
    this.#looks = 0;
    socket.on("open", () => {
      this.#looks = 0;
      socket.send(PING);
      this.#ports.opened();
    });
    socket.on("message", (data: Buffer) => {
      if (socket !== this.#socket) return;
      this.#looks = 0;
      for (const frame of data.toString("utf8").split("\u001e")) this.#ports.frame(JSON.parse(frame));
    });
    socket.on("error", () => {});
    socket.on("close", (code) => {
      if (socket === this.#socket) this.#lost(code);
    });
  }

  #lost(code: number): void {
    this.closes.set(code, (this.closes.get(code) ?? 0) + 1);
    this.#socket = undefined;
    this.#ports.lost();
    if (this.#closed || this.#isAway) return;
    const { baseMs, maxMs } = this.#ports.patience.backoff;
    const bound = Math.min(maxMs, baseMs * 2 ** this.#attempt++);
    this.#retry = setTimeout(() => this.#dial(), this.#ports.random() * bound);
  }

  /** Patience is counted in looks, not in time: what has come is read between two looks, however late this process is. */
  #watch(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.isPaused) return;
    const { CONNECTING, OPEN } = WebSocket;
    if (socket.readyState !== CONNECTING && socket.readyState !== OPEN) return;
    const { connectMs, quietMs, silenceMs } = this.#ports.patience;
    const silentMs = ++this.#looks * LOOK_MS;
    const isOpen = socket.readyState === OPEN;
    const isDead = silentMs > (isOpen ? quietMs + silenceMs : connectMs);
    if (isDead || (isOpen && this.#ports.isOverdue())) socket.terminate();
    else if (isOpen && silentMs > quietMs) socket.send(PING);
  }
}
