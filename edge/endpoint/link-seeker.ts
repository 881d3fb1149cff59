/**
 * How an object without a link to a shard comes to one (L1): it asks that shard, which dials. While it seeks, and only
 * then, it has a timer and so stays awake. It tries a bounded number of times and then gives up.
 */

import { backoff } from "../../shared/core/backoff.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { IDLE, type Seeking, type SeekingEvent, stepSeeking } from "./seeking-states.ts";

export interface LinkSeekerPorts {
  /** Asks a shard to attach; resolves when the shard has noted it; it dials meanwhile. */
  attach(shard: number): Promise<void>;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
  /** In [0, 1). */
  random(): number;
  log(problem: string): void;
}

const RETRY = TIME_LIMITS.linkAgain;
/** Within this time a shard that has noted an object has dialled it, or will not. */
const DIAL_MS = TIME_LIMITS.linkDialMs;
/** A shard dials all its objects by itself after a break or a restart. Only the first of them need wake it. */
const LATER_MS = TIME_LIMITS.linkLaterMs;
const LATER_SPREAD_MS = TIME_LIMITS.linkLaterSpreadMs;

export class LinkSeeker {
  readonly #ports: LinkSeekerPorts;
  readonly #shard: number;
  readonly #gaveUp: () => void;
  #seeking: Seeking = IDLE;
  /** Of the state, if that lasts for some time only. */
  #timer: (() => void) | undefined;

  constructor(ports: LinkSeekerPorts, shard: number, gaveUp: () => void) {
    this.#ports = ports;
    this.#shard = shard;
    this.#gaveUp = gaveUp;
  }

  /** Does nothing while it seeks already. */
  seek(when: "now" | "later"): void {
    this.#step({ kind: "wanted", when });
  }

  /** There is a link, or nobody needs one any more. */
  stop(): void {
    this.#step({ kind: "notNeeded" });
  }

  #step(event: SeekingEvent): void {
    const seeking = stepSeeking(this.#seeking, event);
    if (seeking === this.#seeking) return;
    this.#seeking = seeking;
    this.#timer?.();
    this.#timer = undefined;
    if (seeking.kind === "asking") this.#ask(seeking);
    else if (seeking.kind !== "idle") {
      this.#timer = this.#ports.after(this.#msIn(seeking), () => {
        this.#timer = undefined;
        this.#step({ kind: "elapsed" });
      });
    } else if (event.kind === "elapsed") this.#gaveUp();
  }

  #ask(asking: Seeking): void {
    // What was asked before it stopped may come to an end only now.
    const step = (event: SeekingEvent) => {
      if (this.#seeking === asking) this.#step(event);
    };
    this.#ports.attach(this.#shard).then(
      () => step({ kind: "noted" }),
      (error: unknown) => {
        this.#ports.log(
          `the shard can't be asked for a link: ${error instanceof Error ? error.message : error}`,
        );
        step({ kind: "failed" });
      },
    );
  }

  /** How long a state lasts. */
  #msIn(seeking: Exclude<Seeking, { kind: "idle" | "asking" }>): number {
    switch (seeking.kind) {
      case "pausing":
        return LATER_MS + LATER_SPREAD_MS * this.#ports.random();
      case "awaiting":
        return DIAL_MS;
      case "resting":
        return backoff(seeking.tries - 1, RETRY, this.#ports.random());
    }
  }
}
