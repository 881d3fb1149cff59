/** Counts what this process dials, whether or not anybody answers. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

const CHANNEL = "net.client.socket";

export class Dials {
  /** When each was, in milliseconds. */
  readonly at: number[] = [];
  readonly #port: number;

  /** @param port Of loopback; others aren't counted. */
  constructor(port: number) {
    this.#port = port;
    subscribe(CHANNEL, this.#listen);
  }

  stop(): void {
    unsubscribe(CHANNEL, this.#listen);
  }

  /** The most within any second. */
  get perSecond(): number {
    const within = (from: number) => this.at.filter((one) => one >= from && one < from + 1_000).length;
    return Math.max(0, ...this.at.map(within));
  }

  readonly #listen = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    socket.once("connectionAttempt", (_, port: number) => {
      if (port === this.#port) this.at.push(performance.now());
    });
  };
}
