/** When no fault was at work. Times are of the monotonic clock, in milliseconds. */
export class Calm {
  #atWork = 0;
  #since: number;
  /** That are over, the last one last. */
  readonly #over: { readonly from: number; readonly to: number }[] = [];

  constructor(now: number) {
    this.#since = now;
  }

  begins(now: number): void {
    if (this.#atWork++ === 0) this.#over.push({ from: this.#since, to: now });
  }

  ends(now: number): void {
    if (--this.#atWork === 0) this.#since = now;
  }

  /** The longest time without a fault at work between `from` and now. */
  longest(from: number, now: number): number {
    let longest = this.#atWork === 0 ? now - Math.max(from, this.#since) : 0;
    for (let i = this.#over.length - 1; i >= 0; i--) {
      const calm = this.#over[i];
      if (calm === undefined || calm.to <= from) break;
      longest = Math.max(longest, calm.to - Math.max(calm.from, from));
    }
    return longest;
  }
}
