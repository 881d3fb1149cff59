/**
 * Time and WebSockets that a test moves by hand: what is sent stays under way until the test delivers it, one
 * message of one direction of one socket at a time, so that every interleaving can be had.
 */
import { deserialize, serialize } from "node:v8";
import type { HibernatingPeer } from "../../edge/peer.ts";
import type { Message } from "../../shared/protocol/message.ts";

export class Clock {
  now = 1_700_000_000_000;
  #timers: { at: number; run: () => void }[] = [];

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Goes to the next timer that is due within `ms` and runs it; false if there is none. */
  next(ms: number): boolean {
    const [first] = this.#timers.filter(({ at }) => at <= this.now + ms).sort((a, b) => a.at - b.at);
    if (first === undefined) return false;
    this.#timers = this.#timers.filter((other) => other !== first);
    this.now = Math.max(this.now, first.at);
    first.run();
    return true;
  }
}

/** What arrives at an end of a wire. */
export interface Listener {
  message(message: Message): void;
  close(code: number): void;
}

/** One end of a simulated WebSocket. */
export class End implements HibernatingPeer {
  /** What a slow peer would have left unsent. */
  bufferedAmount = 0;
  open = true;
  listener: Listener | undefined;
  #attachment: Uint8Array | undefined;
  readonly #send: (parcel: Parcel) => void;

  constructor(send: (parcel: Parcel) => void) {
    this.#send = send;
  }

  send(message: Message): void {
    if (!this.open) throw new Error("the socket is closed");
    this.#send({ message });
  }

  close(code: number): void {
    if (code !== 1000 && (code < 3000 || code > 4999)) throw new Error(`${code} can't be sent`);
    if (!this.open) throw new Error("the socket is closed");
    this.open = false;
    this.#send({ code });
  }

  serializeAttachment(attachment: unknown): void {
    const bytes = serialize(attachment);
    if (bytes.length > 16_384) throw new Error(`an attachment of ${bytes.length} bytes`);
    this.#attachment = bytes;
  }

  deserializeAttachment(): unknown {
    return this.#attachment && deserialize(this.#attachment);
  }
}

type Parcel = { readonly message: Message } | { readonly code: number };

export class Wire {
  /** At the side that accepted. */
  readonly server: End;
  /** At the side that dialled. */
  readonly client: End;
  readonly #toServer: Parcel[] = [];
  readonly #toClient: Parcel[] = [];

  constructor() {
    this.server = new End((parcel) => this.#toClient.push(parcel));
    this.client = new End((parcel) => this.#toServer.push(parcel));
  }

  /** Whether something is under way to one of its ends. */
  isPending(to: "server" | "client"): boolean {
    return (to === "server" ? this.#toServer : this.#toClient).length > 0;
  }

  /** Whether nothing can ever come of it again. */
  get isDone(): boolean {
    return !this.server.open && !this.client.open && !this.isPending("server") && !this.isPending("client");
  }

  deliver(to: "server" | "client"): void {
    const parcel = (to === "server" ? this.#toServer : this.#toClient).shift();
    const end = this[to];
    if (parcel === undefined) return;
    if ("message" in parcel) {
      if (end.open) end.listener?.message(parcel.message);
      return;
    }
    // As the platform wants it, the one who is told closes in turn.
    end.open = false;
    end.listener?.close(parcel.code);
  }

  /** Breaks: what is under way is lost, and both ends hear of it in their own time. */
  cut(): void {
    this.#toServer.splice(0, Number.POSITIVE_INFINITY, { code: 1006 });
    this.#toClient.splice(0, Number.POSITIVE_INFINITY, { code: 1006 });
  }
}
