/** What an uplink has to send: addressed frames (U3), packed into as few messages as their order allows. */
import { type AddressedTo, encodeAddressed } from "../../shared/protocol/addressed.ts";
import { type Frame, JSON_END } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { SEPARATOR } from "../../shared/protocol/message.ts";
import type { SplitFrame } from "./record-frame.ts";

/** A message in pieces: texts, and bytes, which in a text message are UTF-8. Nobody may keep the bytes: they are views. */
export interface Outgoing {
  readonly isText: boolean;
  readonly pieces: readonly (string | Uint8Array)[];
}

/** One uplink; a new one for the same shard is another port. */
export interface ShardPort {
  /** Whether so much is unsent that only small answers may be sent (U10). When that ends the port calls `step`. */
  readonly congested: boolean;
  send(messages: readonly Outgoing[]): void;
  /** Runs once: in this turn of the loop, unless much was sent just before, else a moment later, with what comes until then. */
  soon(run: () => void): void;
  /** There is work for `step`: call it soon, and again as long as it returns true. */
  wake(): void;
}

export class Outbox {
  readonly port: ShardPort;
  #messages: Outgoing[] = [];
  /** Of the last message, which is being packed. */
  #pieces: (string | Uint8Array)[] = [];
  #isText = true;
  /** What comes before its next frame, or ends it. */
  #between = "";
  #size = 0;
  /** Of all that wait. */
  #bytes = 0;
  #leaving = false;

  constructor(port: ShardPort) {
    this.port = port;
  }

  /** Takes a frame; it leaves with the next `flush` at the latest, or `flushSoon`. */
  add(to: AddressedTo, frame: Frame | SplitFrame): void {
    if (typeof frame === "string") this.#push(true, encodeAddressed(to, frame), undefined);
    else if (frame instanceof Uint8Array) this.#push(false, encodeAddressed(to, ""), frame);
    else this.#push(frame.isText, encodeAddressed(to, frame.head), frame.value);
    // So that the port notices how much it is while it is being sent, however large a batch is.
    if (this.#bytes >= LIMITS.batchBytes) this.flush();
  }

  /**
   * For what comes by itself: each message costs the shard about as much as all the updates in it, and it takes
   * about 1,000 of them a second.
   */
  flushSoon(): void {
    if (this.#leaving || this.#bytes === 0) return;
    this.#leaving = true;
    this.port.soon(this.#leave);
  }

  flush(): void {
    if (this.#bytes === 0) return;
    this.#close();
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    this.port.send(messages);
  }

  readonly #leave = (): void => {
    this.#leaving = false;
    this.flush();
  };

  /** A message is of one kind. A frame that is larger than one may be goes alone. */
  #push(isText: boolean, head: string, value: Uint8Array | undefined): void {
    const size = head.length + (value?.length ?? 0);
    if (isText !== this.#isText || this.#size + size > LIMITS.batchBytes) this.#close();
    this.#isText = isText;
    this.#pieces.push(this.#pieces.length > 0 && isText ? this.#between + SEPARATOR + head : head);
    if (value !== undefined) this.#pieces.push(value);
    this.#between = isText && value !== undefined ? JSON_END : "";
    this.#size += size + SEPARATOR.length;
    this.#bytes += size;
  }

  #close(): void {
    if (this.#pieces.length === 0) return;
    if (this.#between !== "") this.#pieces.push(this.#between);
    this.#messages.push({ isText: this.#isText, pieces: this.#pieces });
    this.#pieces = [];
    this.#between = "";
    this.#size = 0;
  }
}
