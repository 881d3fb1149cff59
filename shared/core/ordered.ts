/** A list that is always in the order of a number that each of its items has; no two have the same. */
export class Ordered<T> {
  readonly #items: T[] = [];
  readonly #numberOf: (item: T) => number;

  constructor(numberOf: (item: T) => number) {
    this.#numberOf = numberOf;
  }

  get size(): number {
    return this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }

  add(item: T): void {
    this.#items.splice(this.#placeOf(this.#numberOf(item)), 0, item);
  }

  /** Returns whether it was there. */
  delete(item: T): boolean {
    const place = this.#placeOf(this.#numberOf(item));
    if (this.#items[place] !== item) return false;
    this.#items.splice(place, 1);
    return true;
  }

  numbered(number: number): T | undefined {
    const item = this.#items[this.#placeOf(number)];
    return item !== undefined && this.#numberOf(item) === number ? item : undefined;
  }

  /** The last one whose number is lower. */
  before(item: T): T | undefined {
    return this.#items[this.#placeOf(this.#numberOf(item)) - 1];
  }

  /** Where an item with this number is, or would be. */
  #placeOf(number: number): number {
    const last = this.#items.at(-1);
    // Nearly all come last.
    if (last === undefined || this.#numberOf(last) < number) return this.#items.length;
    let [low, high] = [0, this.#items.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle];
      if (item !== undefined && this.#numberOf(item) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
