/** What large answers to GETs may hold of an isolate's memory until they are taken (unread.ts). Pure. */
import { LIMITS } from "../../shared/protocol/limits.ts";
import { SharedBytes } from "../endpoint/unsent.ts";
import { TIME_LIMITS } from "../time-limits.ts";

const LOOK_MS = TIME_LIMITS.unsentLookMs;

/** What the large answers of an isolate hold. Times never go back. */
export class AnswerBudget {
  readonly #most: number;
  readonly #held = new SharedBytes();
  #refusedAt = Number.NEGATIVE_INFINITY;

  /** @param most bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether another large answer is refused before its value is asked for: the largest would find no room. */
  refuses(now: number): boolean {
    const held = this.#held.total(now);
    return held > 0 && held + LIMITS.valueBytes > this.#most;
  }

  /** One waits: those that are stuck make room for it. */
  refused(now: number): void {
    this.#refusedAt = now;
  }

  /** False if there is no room. One alone always has. */
  begin(answer: object, bytes: number, now: number): boolean {
    const held = this.#held.total(now);
    if (held > 0 && held + bytes > this.#most) return false;
    this.#held.say(answer, bytes, now);
    return true;
  }

  /** It is still there. False if it must go: it has taken nothing for so long. */
  goesOn(answer: object, bytes: number, stuckMs: number, now: number): boolean {
    this.#held.say(answer, bytes, now);
    const isWanted = now - this.#refusedAt <= 3 * LOOK_MS;
    return stuckMs < (isWanted ? LOOK_MS : TIME_LIMITS.takesNothingMs);
  }

  end(answer: object, now: number): void {
    this.#held.say(answer, 0, now);
  }
}
