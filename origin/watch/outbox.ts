/** What an uplink has to send: addressed frames (U3), packed into as few messages as their order allows. */
import { type AddressedTo, encodeAddressed } from "../../shared/protocol/addressed.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { type Message, packMessages } from "../../shared/protocol/message.ts";

/** One uplink; a new one for the same shard is another port. */
export interface ShardPort {
  /** Whether so much is unsent that only small answers may be sent (U10). When that ends the port calls `step`. */
  readonly congested: boolean;
  send(messages: readonly Message[]): void;
  /** Runs once: in this turn of the loop, if nothing was sent just before, else a moment later, with what comes until then. */
  soon(run: () => void): void;
  /** There is work for `step`: call it soon, and again as long as it returns true. */
  wake(): void;
}

export class Outbox {
  readonly port: ShardPort;
  #frames: Frame[] = [];
  #bytes = 0;
  #leaving = false;

  constructor(port: ShardPort) {
    this.port = port;
  }

  /** Takes a frame; it leaves with the next `flush` at the latest, or `flushSoon`. */
  add(to: AddressedTo, frame: Frame): void {
    this.#frames.push(encodeAddressed(to, frame));
    this.#bytes += frame.length;
    // So that the port notices how much it is while it is being sent, however large a batch is.
    if (this.#bytes >= LIMITS.batchBytes) this.flush();
  }

  /**
   * For what comes by itself: each message costs the shard about as much as all the updates in it, and it takes
   * about 1,000 of them a second.
   */
  flushSoon(): void {
    if (this.#leaving || this.#frames.length === 0) return;
    this.#leaving = true;
    this.port.soon(() => {
      this.#leaving = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#frames.length === 0) return;
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    this.port.send(packMessages(frames, LIMITS.batchBytes));
  }
}
