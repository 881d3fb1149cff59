/** A partition that a writer has claimed, and what it knows of what was published there. Pure. */
import { TIME_LIMITS } from "../time-limits.ts";
import { type Found, Ledger, type LedgerRoom } from "./ledger.ts";
import type { Marks } from "./mark.ts";
import type { Claim, KnownPublish } from "./sink.ts";

export interface Clocks {
  /** Milliseconds since 1970, by a clock that may be set at any time. */
  readonly time: () => number;
  /** Milliseconds, by one that nobody sets. */
  readonly now: () => number;
}

export interface HeldPorts extends Clocks {
  /** For how long a publish that comes again is answered. */
  readonly windowMs: number;
  /** Whether what the secret of this name marked is known when it comes again. */
  readonly recognises: (secret: string) => boolean;
  /** Shared with the other partitions. */
  readonly ledgerRoom: LedgerRoom;
}

const STRANGE =
  "what was published here lately is marked with a secret that this origin doesn't have: " +
  "give all origins the same PUBLISH_SECRET, and wait 20 minutes";

/** How far the one is ahead of the other. */
export const aheadOf = ({ time, now }: Clocks) => time() - now();

export class Held {
  readonly #ports: HeldPorts;
  readonly #keptMs: number;
  readonly #aheadMs: number;
  readonly #ledger: Ledger;
  #claim: Claim | undefined;
  /** When another secret has marked something last. */
  #strangeAt = Number.NEGATIVE_INFINITY;
  /** By then nobody retries that any more. */
  #strangeUntil = Number.NEGATIVE_INFINITY;

  /** Before the partition is claimed, which judges the clock as it is now. */
  constructor(ports: HeldPorts) {
    this.#ports = ports;
    this.#keptMs = 2 * ports.windowMs;
    this.#aheadMs = aheadOf(ports);
    this.#ledger = new Ledger(this.#keptMs, ports.ledgerRoom);
  }

  /** The partition is claimed, and what was published there was learnt. */
  begin(claim: Claim): void {
    this.#claim = claim;
    this.#strangeUntil = Math.min(this.#strangeAt, this.time) + this.#keptMs;
  }

  get claim(): Claim {
    if (this.#claim === undefined) throw new Error("the partition isn't claimed yet");
    return this.#claim;
  }

  /** Why a publish can't be relied on to be known for the whole window, with the remedy; undefined if it can. */
  get forgets(): string | undefined {
    return this.claim.forgets ?? (this.time <= this.#strangeUntil ? STRANGE : undefined);
  }

  /** The clock as it was before the claim, and went on by itself: this tells how old a publish is. */
  get time(): number {
    return this.#ports.now() + this.#aheadMs;
  }

  /** Others judge by its time how old what is written now is: a clock that was set is for the next claim to judge. */
  get isClockSet(): boolean {
    return Math.abs(aheadOf(this.#ports) - this.#aheadMs) > TIME_LIMITS.publishClockMs;
  }

  /** Whether it could be known of one more publish that it was done. */
  hasRoom(): boolean {
    if (this.#ledger.isFull) this.forget();
    return !this.#ledger.isFull;
  }

  find(marks: Marks): Found {
    return this.#ledger.find(marks);
  }

  learn(publish: KnownPublish): void {
    this.#ledger.learn(publish);
    const { secret, timestamp } = publish;
    if (timestamp > this.#strangeAt && !this.#ports.recognises(secret)) this.#strangeAt = timestamp;
  }

  /** Nothing is asked any more. */
  drop(): void {
    this.#ledger.clear();
  }

  /** What is older than it is known for. */
  forget(): void {
    this.#ledger.forget(this.time);
  }
}
