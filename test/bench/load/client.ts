/** One subscriber: its connection, the check that nothing is missing, and where it stands when it comes back. */
import { PING } from "../../../shared/protocol/subscriber.ts";
import { SUBSCRIBER_PROTOCOL } from "../../../shared/protocol/version.ts";
import { type ReadUpdate, type Receiver, readMessage, type Verdict } from "./messages.ts";
import type { Stamp } from "./payload.ts";
import { Tally } from "./tally.ts";
import { LeanWebSocket, type Listener } from "./websocket.ts";

/** What all clients of a process tell. */
export interface Observer {
  /** Once for each update that is no duplicate, when it was read; `wire` bytes came for it. */
  delivered(stamp: Stamp, wire: number): void;
  /** What must not happen, in words. */
  violated(what: string): void;
  /** The connection went, not by `cut`. */
  closed(client: Client, code: number | undefined, problem: string): void;
}

export interface ClientSettings {
  readonly url: string;
  readonly endpoint: number;
  /** The number of the first update that the endpoint gets; undefined if that isn't known. */
  readonly first: number | undefined;
  /** Whether the server answers a subscribe with a verdict; a floor doesn't. */
  readonly verdicts: boolean;
  /** What the stream wants of it. */
  readonly token?: string | undefined;
}

export interface Arrival {
  /** false: the verdict said that continuity can't be shown. */
  readonly recovered: boolean;
}

export class Client implements Listener, Receiver {
  readonly endpoint: number;
  readonly #settings: ClientSettings;
  readonly #observer: Observer;
  readonly tally: Tally;
  #socket: LeanWebSocket | undefined;
  #epoch = "";
  #at = -1;
  /** Where it has caught up, while it hasn't. */
  #head: number | undefined;
  #recovered = true;
  #wire = 0;
  #live: ((arrival: Arrival) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(settings: ClientSettings, observer: Observer) {
    this.endpoint = settings.endpoint;
    this.tally = new Tally(settings.first);
    this.#settings = settings;
    this.#observer = observer;
  }

  /** Resolves when it is live: caught up with its verdict. Rejects where the connection ends before. */
  connect(): Promise<Arrival> {
    const url = new URL(this.#settings.url);
    if (this.#at >= 0) url.searchParams.set("from", `${this.#epoch}:${this.#at}`);
    return new Promise((resolve, reject) => {
      this.#live = resolve;
      this.#failed = reject;
      const { verdicts, token } = this.#settings;
      this.#socket = new LeanWebSocket(url, verdicts ? SUBSCRIBER_PROTOCOL : undefined, this, token);
    });
  }

  /** Ends the connection without a word. */
  cut(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.cut();
  }

  open(): void {
    if (this.#settings.verdicts) this.#socket?.send(PING);
    else this.#arrive();
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
      readMessage(bytes, isText, this);
    } catch (error) {
      this.#observer.violated(error instanceof Error ? error.message : String(error));
    }
  }

  verdict({ position, head, recovered }: Verdict): void {
    this.#adopt(position);
    this.#recovered = recovered !== false;
    this.#head = offsetOf(head);
    this.#arriveIfThere();
  }

  reset({ position }: Verdict): void {
    this.#observer.violated("continuity was lost");
    this.#adopt(position);
  }

  update({ epoch, offset, previous, stamp }: ReadUpdate): void {
    if (epoch !== this.#epoch) {
      if (this.#at >= 0) this.#observer.violated(`epoch ${epoch} after ${this.#epoch}`);
      this.#epoch = epoch;
      this.#at = -1;
    }
    // The rule of continuity (P5); each key has one partition here.
    if (this.#settings.verdicts && (offset <= this.#at || (previous ?? -1) > this.#at))
      this.#observer.violated(`${epoch}:${offset} after ${previous} came at ${this.#at}`);
    this.#at = Math.max(this.#at, offset);
    const { duplicated } = this.tally;
    this.tally.take(stamp.sequence, stamp.run);
    if (this.tally.duplicated === duplicated) this.#observer.delivered(stamp, this.#wire);
    // Several frames of one message came with its bytes once.
    this.#wire = 0;
    if (this.#live !== undefined) this.#arriveIfThere();
  }

  #arriveIfThere(): void {
    if (this.#head === undefined || this.#at < this.#head) return;
    this.#head = undefined;
    this.#arrive();
  }

  #arrive(): void {
    const live = this.#live;
    this.#live = this.#failed = undefined;
    live?.({ recovered: this.#recovered });
  }

  #adopt(position: string): void {
    const offset = offsetOf(position);
    if (offset >= 0) this.#epoch = position.slice(0, position.lastIndexOf(":"));
    this.#at = offset;
  }
}

/** Of a position of one component; −1 where there is none. */
const offsetOf = (position: string) =>
  position === "-" ? -1 : Number(position.slice(position.lastIndexOf(":") + 1));
