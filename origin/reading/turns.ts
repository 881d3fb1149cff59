/**
 * Work shares the event loop with sockets, whose heartbeats must be answered. However many partitions are read at once,
 * what they do between two turns of the loop takes a few milliseconds together: setImmediate alone would give every one of
 * them a slice in the same turn.
 */
import { TIME_LIMITS } from "../time-limits.ts";

/** Of reading and decoding, in one turn of the loop. The slice that passes it is finished. */
const TURN_MS = TIME_LIMITS.turnMs;

export class Turns {
  readonly #now: () => number;
  /** First come, first served. */
  readonly #waiting: (() => void)[] = [];
  /** When the first work of this turn began; undefined while there was none. */
  #began: number | undefined;

  /** @param now Milliseconds, of a clock that only goes forward. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Whether this turn's time is used up: then go on `later`. */
  isSpent(): boolean {
    if (this.#began !== undefined) return this.#now() - this.#began >= TURN_MS;
    this.#begin();
    return false;
  }

  /** Resolves in a later turn, when those who came before have had theirs. */
  later(): Promise<void> {
    this.#begin();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #begin(): void {
    if (this.#began !== undefined) return;
    this.#began = this.#now();
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#began = undefined;
    if (this.#waiting.length === 0) return;
    this.#begin();
    this.#wake(this.#waiting.length);
  }

  /** @param left Of those that waited when this turn began: one that comes now waits for the next turn. */
  #wake(left: number): void {
    this.#waiting.shift()?.();
    if (left <= 1) return;
    // A tick that is set by a microtask comes after all microtasks: then what was woken has done its slice.
    queueMicrotask(() =>
      process.nextTick(() => {
        if (!this.isSpent()) this.#wake(left - 1);
      }),
    );
  }
}

/** There is one event loop, so there is one of it. */
export const turns = new Turns();
