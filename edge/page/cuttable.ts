/**
 * A transport that can be cut: for showing what a subscription does then. Its sockets are really closed, and
 * no new one is dialled before the cut is over; the client notices nothing but a network that is gone.
 */
import type { Socket, SocketEvents, Transport } from "../../shared/client/client.ts";

export class CuttableTransport implements Transport {
  readonly #inner: Transport;
  /** Of sockets that are open, or being dialled. */
  readonly #cuts = new Set<() => void>();
  /** Dials that wait for the end of the cut. undefined: there is none. */
  #heldDials: Set<() => void> | undefined;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  /** Closes every socket, and holds back new ones until mend(). */
  cut(): void {
    this.#heldDials ??= new Set();
    for (const cut of [...this.#cuts]) cut();
  }

  mend(): void {
    const held = this.#heldDials ?? [];
    this.#heldDials = undefined;
    for (const dial of held) dial();
  }

  dial(url: string, events: SocketEvents, token: string): Socket {
    let inner: Socket | undefined;
    const dial = () => {
      const passed: SocketEvents = {
        opened: () => this.#cuts.has(cut) && events.opened(),
        message: (message) => this.#cuts.has(cut) && events.message(message),
        closed: (code, reason) => this.#cuts.delete(cut) && events.closed(code, reason),
      };
      inner = this.#inner.dial(url, passed, token);
      this.#cuts.add(cut);
    };
    const cut = () => {
      this.#cuts.delete(cut);
      inner?.close();
      events.closed(1006, "cut by this page");
    };
    if (this.#heldDials === undefined) dial();
    else this.#heldDials.add(dial);
    return {
      send: (text) => inner?.send(text),
      close: () => {
        this.#heldDials?.delete(dial);
        inner?.close();
      },
    };
  }

  explain(url: string, token: string): ReturnType<Transport["explain"]> {
    return this.#inner.explain(url, token);
  }
}
