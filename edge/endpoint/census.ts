/**
 * When an endpoint state says how many subscribers it has: O2 of INTERNALS.md. Only while the shard wants to know, and no
 * more often than the shard's readers can notice; no timer is needed, since the shard asks again where one would be. Pure.
 */
import { TIME_LIMITS } from "../time-limits.ts";

const SPACING_MS = TIME_LIMITS.countSpacingMs;

export class Census {
  /** What was said last; undefined if nobody wants to know. */
  #said: number | undefined;
  #saidAt = Number.NEGATIVE_INFINITY;
  /** The shard is to ask again: there is news that it can't be told yet. */
  #isPutOff = false;

  /** Goes on with what outlived the memory. */
  constructor(said?: number) {
    this.#said = said;
  }

  /** What must outlive the memory. */
  get said(): number | undefined {
    return this.#said;
  }

  /** The shard wants to know, now and whenever it changes. */
  begin(): void {
    this.#said = NEVER;
    this.#saidAt = Number.NEGATIVE_INFINITY;
    this.#isPutOff = false;
  }

  /** It doesn't any more, or there is another link, on which nothing was asked. */
  end(): void {
    this.#said = undefined;
    this.#isPutOff = false;
  }

  /** What is to be said of it: the number, or that there will be another one soon. */
  news(subscribers: number, now: number): "counted" | "later" | undefined {
    if (this.#said === undefined || this.#said === subscribers) return undefined;
    if (now - this.#saidAt < SPACING_MS) {
      if (this.#isPutOff) return undefined;
      this.#isPutOff = true;
      return "later";
    }
    this.#said = subscribers;
    this.#saidAt = now;
    return "counted";
  }
}

/** No number of subscribers. */
const NEVER = -1;
