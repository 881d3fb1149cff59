/** Counts exactly what one client of one endpoint lost and what it got twice, by the updates' numbers. Pure. */
export class Tally {
  #next: number | undefined;
  /** Numbers that were passed over and have not come since; nearly always empty. */
  #missing = new Set<number>();
  duplicated = 0;

  /** @param first the number that must come first; undefined where whichever comes first is right */
  constructor(first: number | undefined) {
    this.#next = first;
  }

  take(sequence: number): void {
    this.#next ??= sequence;
    if (sequence === this.#next) this.#next++;
    else if (sequence > this.#next) {
      for (let missing = this.#next; missing < sequence; missing++) this.#missing.add(missing);
      this.#next = sequence + 1;
    } else if (!this.#missing.delete(sequence)) this.duplicated++;
  }

  /** Whether all numbers below `end` have come. */
  complete(end: number): boolean {
    return this.lost(end) === 0;
  }

  /** How many below `end` have not come. A client that joined late and received nothing has lost nothing. */
  lost(end: number): number {
    return this.#missing.size + Math.max(0, end - (this.#next ?? end));
  }
}
