/**
 * How an object without a link comes to one (L1): it asks its shard, which dials. While it seeks, and only
 * then, it has a timer and so stays awake. It tries a bounded number of times and then gives up.
 */
import { backoff } from "../../shared/core/backoff.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface LinkSeekerPorts {
  /** Asks the shard to attach; resolves when the shard has noted it; it dials meanwhile. */
  attach(): Promise<void>;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
  /** In [0, 1). */
  random(): number;
  log(problem: string): void;
}

const TRIES = 6;
const RETRY = TIME_LIMITS.linkAgain;
/** Within this time a shard that has noted an object has dialled it, or will not. */
const DIAL_MS = TIME_LIMITS.linkDialMs;
/** A shard dials all its objects by itself after a break or a restart. Only the first of them need wake it. */
const LATER_MS = TIME_LIMITS.linkLaterMs;
const LATER_SPREAD_MS = TIME_LIMITS.linkLaterSpreadMs;

export class LinkSeeker {
  readonly #ports: LinkSeekerPorts;
  readonly #gaveUp: () => void;
  #tries = 0;
  /** Ends what is under way; undefined while nothing is. */
  #cancel: (() => void) | undefined;

  constructor(ports: LinkSeekerPorts, gaveUp: () => void) {
    this.#ports = ports;
    this.#gaveUp = gaveUp;
  }

  /** Does nothing while it seeks already. */
  seek(when: "now" | "later"): void {
    if (this.#cancel !== undefined) return;
    if (when === "now") this.#try();
    else {
      const ms = LATER_MS + LATER_SPREAD_MS * this.#ports.random();
      this.#cancel = this.#ports.after(ms, () => this.#try());
    }
  }

  /** There is a link, or nobody needs one any more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#tries = 0;
  }

  #try(): void {
    if (this.#tries === TRIES) {
      this.stop();
      this.#gaveUp();
      return;
    }
    const attempt = this.#tries++;
    let current = true;
    this.#cancel = () => {
      current = false;
    };
    const again = (ms: number) => {
      if (current) this.#cancel = this.#ports.after(ms, () => this.#try());
    };
    this.#ports.attach().then(
      () => again(DIAL_MS),
      (error: unknown) => {
        this.#ports.log(
          `the shard can't be asked for a link: ${error instanceof Error ? error.message : error}`,
        );
        again(backoff(attempt, RETRY, this.#ports.random()));
      },
    );
  }
}
