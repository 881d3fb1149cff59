/** Counts exactly what one client of one endpoint lost and what it got twice, by the updates' numbers. Pure. */
export class Tally {
  #next: number | undefined;
  /** Numbers that were passed over and have not come since; nearly always empty. */
  #missing = new Set<number>();
  #run: number | undefined;
  /** What runs that are over lack. */
  #before = 0;
  duplicated = 0;

  /** @param first the number that must come first; undefined if whichever comes first is right */
  constructor(first: number | undefined) {
    this.#next = first;
  }

  /** @param run the publisher's: each counts anew, and one follows the other */
  take(sequence: number, run = 0): void {
    if (run !== this.#run) {
      if (this.#run !== undefined) this.#next = undefined;
      this.#before += this.#missing.size;
      this.#missing.clear();
      this.#run = run;
    }
    this.#next ??= sequence;
    if (sequence === this.#next) this.#next++;
    else if (sequence > this.#next) {
      for (let missing = this.#next; missing < sequence; missing++) this.#missing.add(missing);
      this.#next = sequence + 1;
    } else if (!this.#missing.delete(sequence)) this.duplicated++;
  }

  /** How many below `end` have not come. A client that joined late and received nothing has lost nothing. */
  lost(end: number): number {
    return this.#before + this.#missing.size + Math.max(0, end - (this.#next ?? end));
  }
}
