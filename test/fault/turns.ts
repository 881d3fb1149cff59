/** Who may act upon which parts: one fault at a time on each. Pure. */
import type { Part } from "./schedule.ts";

interface Waiting {
  readonly parts: readonly Part[];
  readonly begin: () => void;
}

export class Turns {
  readonly #taken = new Set<Part>();
  #waiting: Waiting[] = [];

  /**
   * Resolves when all of these parts are its own. One that waits holds no part meanwhile: it would keep those from it
   * that need nothing else, for as long as a busy machine takes over what holds the others.
   */
  take(parts: readonly Part[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ parts, begin: resolve });
    this.#next();
    return promise;
  }

  free(parts: readonly Part[]): void {
    for (const part of parts) this.#taken.delete(part);
    this.#next();
  }

  /** Those that came first are first. */
  #next(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      if (one.parts.some((part) => this.#taken.has(part))) this.#waiting.push(one);
      else {
        for (const part of one.parts) this.#taken.add(part);
        one.begin();
      }
    }
  }
}
