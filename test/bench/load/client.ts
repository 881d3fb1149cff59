/** A subscriber that speaks PROTOCOL.md, or hears a floor: the check that nothing is missing, and where it stands when it comes back. */
import { PING } from "../../../shared/protocol/subscriber.ts";
import { SUBSCRIBER_PROTOCOL } from "../../../shared/protocol/version.ts";
import { type ReadUpdate, type Receiver, readMessage, type Verdict } from "./messages.ts";
import { type Observer, Subscriber } from "./subscriber.ts";
import { LeanWebSocket } from "./websocket.ts";

export interface ClientSettings {
  readonly url: string;
  readonly endpoint: number;
  /** The number of the first update that the endpoint gets; undefined if that isn't known. */
  readonly first: number | undefined;
  /** Whether the server answers a subscribe with a verdict; a floor doesn't. */
  readonly verdicts: boolean;
  /** What the stream wants of it. */
  readonly token?: string | undefined;
  readonly localAddress: string | undefined;
}

export class Client extends Subscriber implements Receiver {
  readonly #settings: ClientSettings;
  #epoch = "";
  #at = -1;
  /** Where it has caught up, while it hasn't. */
  #head: number | undefined;
  #recovered = true;

  constructor(settings: ClientSettings, observer: Observer) {
    super(settings.endpoint, settings.first, observer);
    this.#settings = settings;
  }

  protected override dial(): LeanWebSocket {
    const url = new URL(this.#settings.url);
    if (this.#at >= 0) url.searchParams.set("from", `${this.#epoch}:${this.#at}`);
    const { verdicts, token, localAddress } = this.#settings;
    return new LeanWebSocket(url, verdicts ? SUBSCRIBER_PROTOCOL : undefined, this, { token, localAddress });
  }

  override open(): void {
    if (this.#settings.verdicts) this.send(PING);
    else this.arrive({ recovered: true });
  }

  protected override read(bytes: Buffer, isText: boolean): void {
    readMessage(bytes, isText, this);
  }

  verdict({ position, head, recovered }: Verdict): void {
    this.#adopt(position);
    this.#recovered = recovered !== false;
    this.#head = offsetOf(head);
    this.#arriveIfThere();
  }

  reset({ position }: Verdict): void {
    this.violated("continuity was lost");
    this.#adopt(position);
  }

  update({ epoch, offset, previous, stamp }: ReadUpdate): void {
    if (epoch !== this.#epoch) {
      if (this.#at >= 0) this.violated(`epoch ${epoch} after ${this.#epoch}`);
      this.#epoch = epoch;
      this.#at = -1;
    }
    // The rule of continuity (P5); each key has one partition here.
    if (this.#settings.verdicts && (offset <= this.#at || (previous ?? -1) > this.#at))
      this.violated(`${epoch}:${offset} after ${previous} came at ${this.#at}`);
    this.#at = Math.max(this.#at, offset);
    this.deliver(stamp);
    if (this.isArriving) this.#arriveIfThere();
  }

  #arriveIfThere(): void {
    if (this.#head === undefined || this.#at < this.#head) return;
    this.#head = undefined;
    this.arrive({ recovered: this.#recovered });
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
