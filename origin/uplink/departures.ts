/**
 * When uplinks send what comes by itself. Each wake of this process costs more than what it sends, so those that wait leave
 * together: when the first of them may, the others go with it, sooner than they would by themselves.
 */

/** No timer of Node's is shorter, and it costs a wake of its own: what would wait for less leaves with what is at hand. */
const SHORTEST_MS = 1;

export class Departures {
  #due: (() => void)[] = [];
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** When the first of those that wait may leave. */
  #at = Number.POSITIVE_INFINITY;

  /**
   * Runs it once.
   * @param at By when, in milliseconds of the monotonic clock, or sooner; in this turn of the loop if that is over, or nearly: what
   * one answer of the log brings of several partitions comes within one.
   */
  add(run: () => void, at: number): void {
    const waitMs = at - performance.now();
    if (waitMs < SHORTEST_MS) {
      if (this.#due.push(run) === 1) setImmediate(() => this.#leave());
      return;
    }
    this.#waiting.push(run);
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => this.#awaken(), waitMs);
  }

  #leave(): void {
    const leaving = this.#due;
    this.#due = [];
    for (const run of leaving) run();
  }

  #awaken(): void {
    const leaving = this.#waiting;
    this.#waiting = [];
    this.#at = Number.POSITIVE_INFINITY;
    this.#timer = undefined;
    for (const run of leaving) run();
  }
}

/** There is one event loop, so there is one of it. */
export const departures = new Departures();
