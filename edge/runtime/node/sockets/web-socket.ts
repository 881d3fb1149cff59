/**
 * The platform's WebSocket, as a life of an object or a request of the Worker holds it: an end of a pair. After a hibernation
 * the same end is held anew.
 */
import { type Holder, requireAlive, running } from "../holder.ts";
import { refuse } from "../refused.ts";
import { attachmentOf, copyOf } from "./attachment.ts";
import { type End, type Incoming, NO_CODE, pairOfEnds, type Taker } from "./end.ts";

interface Events {
  readonly message: { readonly data: Incoming };
  readonly close: { readonly code: number; readonly reason: string; readonly wasClean: boolean };
  readonly error: { readonly error: Error };
}
type Listener<Kind extends keyof Events> = (event: Events[Kind]) => void;
type Sent = string | ArrayBuffer | ArrayBufferView;

/** RFC 6455 §5.5: of a close, besides its code. */
const REASON_BYTES = 123;
/** What a close frame can't say. */
const UNSPEAKABLE: ReadonlySet<number> = new Set([1004, 1005, 1006, 1015]);

export class WebSocket implements Taker {
  binaryType = "blob";
  readonly #end: End;
  readonly #holder: Holder | undefined;
  /** Of one that doesn't hibernate: most do. */
  #listeners: { readonly [Kind in keyof Events]: Listener<Kind>[] } | undefined;
  #release: (() => void) | undefined;
  #isAccepted = false;

  constructor(end: End, holder: Holder | undefined) {
    this.#end = end;
    this.#holder = holder;
  }

  /** The end that one holds. */
  static endOf(socket: WebSocket): End {
    return socket.#end;
  }

  /** Bytes that were sent and haven't gone to the network, or weren't heard. */
  get bufferedAmount(): number {
    return this.#end.wire.buffered;
  }

  accept(): void {
    requireAlive(this.#holder);
    if (this.#isAccepted) return;
    if (this.#end.isTaken) throw new TypeError("this WebSocket was accepted by acceptWebSocket().");
    this.#isAccepted = true;
    this.#release = this.#holder?.holdSocket(() => this.#end.drop());
    this.#end.take(this);
  }

  send(message: Sent): void {
    requireAlive(this.#holder);
    const end = this.#end;
    if (!end.isTaken)
      throw new TypeError(
        "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.",
      );
    if (end.hasSentClose) throw new TypeError("Can't call WebSocket send() after close().");
    end.send(typeof message === "string" ? message : bytesOf(message));
  }

  close(code?: number, reason = ""): void {
    requireAlive(this.#holder);
    if (code === undefined && reason !== "")
      throw new TypeError("If you specify a WebSocket close reason, you must also specify a code.");
    if (code !== undefined && (code < 1000 || code >= 5000 || UNSPEAKABLE.has(code)))
      throw new TypeError(`Invalid WebSocket close code: ${code}.`);
    if (Buffer.byteLength(reason) > REASON_BYTES)
      throw new SyntaxError("WebSocket close reason is too long.");
    this.#end.close(code, reason);
    if (this.#end.hasHeardClose) this.#over();
  }

  addEventListener<Kind extends keyof Events>(kind: Kind, listener: Listener<Kind>): void {
    this.#listeners ??= { message: [], close: [], error: [] };
    this.#listeners[kind].push(listener);
  }

  serializeAttachment(attachment: unknown): void {
    requireAlive(this.#holder);
    this.#end.attachment = attachmentOf(attachment);
  }

  deserializeAttachment(): unknown {
    const { attachment } = this.#end;
    return attachment === undefined ? null : copyOf(attachment);
  }

  message(_: End, data: Incoming): void {
    if (typeof data !== "string" && this.binaryType !== "arraybuffer") {
      this.#holder?.failed(
        "a socket",
        new Error("bytes as a Blob, the default of binaryType, aren't served on Node"),
      );
      this.#end.drop();
      return;
    }
    this.#tell("message", { data });
  }

  closed(_: End, code: number, reason: string, wasClean: boolean): void {
    // As the platform does it for those that don't hibernate.
    if (wasClean) this.#end.close(code === NO_CODE ? undefined : code, reason);
    this.#over();
    this.#tell("close", { code, reason, wasClean });
  }

  faulty(_: End, error: Error): void {
    this.#over();
    this.#tell("error", { error });
  }

  #over(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #tell<Kind extends keyof Events>(kind: Kind, event: Events[Kind]): void {
    const holder = this.#holder;
    const listeners = this.#listeners?.[kind];
    if (listeners === undefined || holder?.isOver) return;
    const tell = () => {
      for (const listener of listeners)
        try {
          listener(event);
        } catch (error) {
          if (holder !== undefined) holder.failed(`a listener for ${kind}`, error);
          else console.error(error);
        }
    };
    if (holder === undefined) running.run(undefined, tell);
    else holder.enter(tell);
  }
}

refuse(WebSocket.prototype, "WebSocket", [
  ..."dispatchEvent extensions getUrl onclose onerror onmessage onopen protocol readyState".split(" "),
  ..."removeEventListener url".split(" "),
]);

function bytesOf(message: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(message))
    return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  return new Uint8Array(message);
}

/** The platform's: `new` gives two sockets that are connected, under 0 and 1. */
export class WebSocketPair {
  readonly 0: WebSocket;
  readonly 1: WebSocket;

  constructor() {
    const holder = running.getStore();
    const [client, server] = pairOfEnds();
    this[0] = new WebSocket(client, holder);
    this[1] = new WebSocket(server, holder);
  }
}

/** Of the platform: what is answered without waking anyone. */
export class WebSocketRequestResponsePair {
  readonly request: string;
  readonly response: string;

  constructor(request: string, response: string) {
    this.request = request;
    this.response = response;
  }
}
