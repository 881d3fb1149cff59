/** One subscriber of one endpoint: its connection, and the count of what came. What it speaks is its subclass's. */
import type { Stamp } from "./payload.ts";
import { Tally } from "./tally.ts";
import type { LeanWebSocket, Listener } from "./websocket.ts";

/** What all clients of a process tell. */
export interface Observer {
  /** Once for each update that is no duplicate, when it was read; `wire` bytes came for it. */
  delivered(stamp: Stamp, wire: number): void;
  /** What must not happen, in words. */
  violated(what: string): void;
  /** The connection went, not by `cut`. */
  closed(client: Subscriber, code: number | undefined, problem: string): void;
}

export interface Arrival {
  /** false: the server said that continuity can't be shown. */
  readonly recovered: boolean;
}

export abstract class Subscriber implements Listener {
  readonly endpoint: number;
  readonly tally: Tally;
  readonly #observer: Observer;
  #socket: LeanWebSocket | undefined;
  #wire = 0;
  #live: ((arrival: Arrival) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  /** @param first the number of the first update that the endpoint gets; undefined if that isn't known */
  constructor(endpoint: number, first: number | undefined, observer: Observer) {
    this.endpoint = endpoint;
    this.tally = new Tally(first);
    this.#observer = observer;
  }

  /** Begins a connection, from where it stands. */
  protected abstract dial(): LeanWebSocket;
  protected abstract read(bytes: Buffer, isText: boolean): void;
  abstract open(): void;

  /** Resolves when it is live: caught up with what the server said. Rejects where the connection ends before. */
  connect(): Promise<Arrival> {
    return new Promise((resolve, reject) => {
      this.#live = resolve;
      this.#failed = reject;
      this.#socket = this.dial();
    });
  }

  /** Ends the connection without a word. */
  cut(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.cut();
  }

  closed(code: number | undefined, problem: string): void {
    const meant = this.#socket === undefined;
    this.#socket = undefined;
    const failed = this.#failed;
    this.#live = this.#failed = undefined;
    if (failed !== undefined) failed(new Error(problem));
    else if (!meant) this.#observer.closed(this, code, problem);
  }

  message(bytes: Buffer, isText: boolean, wire: number): void {
    this.#wire = wire;
    try {
      this.read(bytes, isText);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const failed = this.#failed;
      if (failed === undefined) this.violated(problem);
      else {
        // After a refusal nothing would come.
        this.#live = this.#failed = undefined;
        this.cut();
        failed(new Error(problem));
      }
    }
  }

  protected send(text: string): void {
    this.#socket?.send(text);
  }

  protected violated(what: string): void {
    this.#observer.violated(what);
  }

  protected deliver(stamp: Stamp): void {
    const { duplicated } = this.tally;
    this.tally.take(stamp.sequence, stamp.run);
    if (this.tally.duplicated === duplicated) this.#observer.delivered(stamp, this.#wire);
    // Several frames of one message came with its bytes once.
    this.#wire = 0;
  }

  protected get isArriving(): boolean {
    return this.#live !== undefined;
  }

  protected arrive(arrival: Arrival): void {
    const live = this.#live;
    this.#live = this.#failed = undefined;
    live?.(arrival);
  }
}
