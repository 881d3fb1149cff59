/** A transport whose other end is the test. */
import type { Explanation, Socket, SocketEvents, Transport } from "../../shared/client/transport.ts";
import type { ErrorBody } from "../../shared/protocol/error-body.ts";
import type { Message } from "../../shared/protocol/message.ts";

export class FakeTransport implements Transport {
  readonly dialled: FakeSocket[] = [];
  /** What explain() answers, and of which tokens it was asked. */
  problem: ErrorBody | undefined;
  readonly explainedWith: string[] = [];
  retryAfterMs: number | undefined;

  dial(url: string, events: SocketEvents, token: string): Socket {
    const socket = new FakeSocket(url, events, token);
    this.dialled.push(socket);
    return socket;
  }

  async explain(_: string, token: string): Promise<Explanation | undefined> {
    this.explainedWith.push(token);
    return { error: this.problem, retryAfterMs: this.retryAfterMs };
  }

  get explained(): number {
    return this.explainedWith.length;
  }

  /** The socket that was dialled last. */
  get socket(): FakeSocket {
    const socket = this.dialled.at(-1);
    if (socket === undefined) throw new Error("nothing was dialled");
    return socket;
  }

  /** The path and query of each dial. */
  get urls(): string[] {
    return this.dialled.map(({ url }) => url.replace(/^wss?:\/\/[^/]*/, ""));
  }
}

const decoder = new TextDecoder();

export class FakeSocket implements Socket {
  readonly url: string;
  readonly events: SocketEvents;
  readonly token: string;
  readonly messages: Message[] = [];
  closed = false;

  constructor(url: string, events: SocketEvents, token: string) {
    this.url = url;
    this.events = events;
    this.token = token;
  }

  send(message: Message): void {
    this.messages.push(message);
  }

  /** As text. */
  get sent(): string[] {
    return this.messages.map((message) => (typeof message === "string" ? message : decoder.decode(message)));
  }

  close(): void {
    this.closed = true;
  }

  open(): this {
    this.events.opened();
    return this;
  }

  say(...frames: Message[]): this {
    for (const frame of frames) this.events.message(frame);
    return this;
  }

  drop(code = 1006, reason = ""): this {
    this.events.closed(code, reason);
    return this;
  }
}
