/** A subscriber that speaks Centrifugo's JSON protocol, resumes by position, and checks that no offset is left out. */
import {
  greeting,
  PONG,
  type Publication,
  type Receiver,
  readReplies,
  type Subscribed,
} from "./centrifugo.ts";
import { type Observer, Subscriber } from "./subscriber.ts";
import { LeanWebSocket } from "./websocket.ts";

/** Where it takes WebSockets. */
export const CENTRIFUGO_PATH = "/connection/websocket";

export interface CentrifugoSettings {
  /** Of the server, without a path. */
  readonly url: string;
  readonly channel: string;
  readonly endpoint: number;
  /** The number of the first update that the endpoint gets; undefined if that isn't known. */
  readonly first: number | undefined;
  readonly localAddress: string | undefined;
}

export class CentrifugoClient extends Subscriber implements Receiver {
  readonly #settings: CentrifugoSettings;
  #epoch: string | undefined;
  #at = 0;

  constructor(settings: CentrifugoSettings, observer: Observer) {
    super(settings.endpoint, settings.first, observer);
    this.#settings = settings;
  }

  protected override dial(): LeanWebSocket {
    const { localAddress } = this.#settings;
    return new LeanWebSocket(new URL(CENTRIFUGO_PATH, this.#settings.url), undefined, this, { localAddress });
  }

  override open(): void {
    const from = this.#epoch === undefined ? undefined : { epoch: this.#epoch, offset: this.#at };
    this.send(greeting(this.#settings.channel, from));
  }

  protected override read(bytes: Buffer): void {
    readReplies(bytes, this);
  }

  ping(): void {
    this.send(PONG);
  }

  subscribed({ epoch, offset, recovered, publications }: Subscribed): void {
    const resumed = this.#epoch !== undefined;
    this.#epoch = epoch;
    if (recovered) for (const publication of publications) this.publication(publication);
    else this.#at = offset;
    this.arrive({ recovered: recovered || !resumed });
  }

  publication({ offset, stamp }: Publication): void {
    // Its own rule of continuity: a channel's offsets have no gaps.
    if (offset !== this.#at + 1) this.violated(`offset ${offset} came at ${this.#at}`);
    this.#at = Math.max(this.#at, offset);
    this.deliver(stamp);
  }
}
