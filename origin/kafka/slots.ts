/**
 * How much may be under way at once, so that what hangs holds up nothing else: what has become slow no longer counts among
 * those that may be under way. Of these there is a bound, too; what is tried again leaves some for what is tried for the
 * first time.
 */

export interface SlotBounds {
  /** Under way at once, the slow ones not counted. What comes then waits for the first to be over. */
  readonly prompt: number;
  /** With the slow ones. `prompt` of these are left to first tries. */
  readonly max: number;
  /** What takes longer is slow. */
  readonly slowMs: number;
}

/** Whether something was tried before, in vain. */
export type Try = "first" | "again";

interface Waiter {
  readonly which: Try;
  readonly give: (release: () => void) => void;
  readonly fail: (why: Error) => void;
}

export class Slots {
  readonly #bounds: SlotBounds;
  /** Since when. */
  readonly #taken = new Map<symbol, number>();
  /** In order. Bounded by who comes: each partition is tried once at a time. */
  #waiting: Waiter[] = [];
  #look: NodeJS.Timeout | undefined;
  #closed: Error | undefined;

  constructor(bounds: SlotBounds) {
    this.#bounds = bounds;
  }

  /** Resolves when it may begin, with what is to be called when it is over. Rejects if this was closed. */
  take(which: Try = "first"): Promise<() => void> {
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    this.#waiting.push({ which, give: resolve, fail: reject });
    this.#serve();
    return promise;
  }

  close(why: Error): void {
    this.#closed = why;
    this.#serve();
  }

  #serve(): void {
    clearTimeout(this.#look);
    this.#waiting = this.#waiting.filter((waiter) => !this.#serves(waiter));
    // Some of what is under way may have become slow by then.
    if (this.#waiting.length > 0) this.#look = setTimeout(() => this.#serve(), this.#bounds.slowMs / 2);
  }

  #serves({ which, give, fail }: Waiter): boolean {
    if (this.#closed !== undefined) {
      fail(this.#closed);
      return true;
    }
    if (!this.#hasRoom(which)) return false;
    const slot = Symbol();
    this.#taken.set(slot, performance.now());
    give(() => {
      this.#taken.delete(slot);
      this.#serve();
    });
    return true;
  }

  #hasRoom(which: Try): boolean {
    const { prompt, max, slowMs } = this.#bounds;
    const { size } = this.#taken;
    if (size >= (which === "first" ? max : max - prompt)) return false;
    if (size < prompt) return true;
    const slow = performance.now() - slowMs;
    return [...this.#taken.values()].filter((since) => since > slow).length < prompt;
  }
}
