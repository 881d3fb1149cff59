/**
 * The publishes of one path that aren't answered, in the order in which they came (W9 of INTERNALS.md): those that are under way
 * at an origin, and those that wait. Whatever happens to one of them, the others aren't gone through.
 */
export interface Laned<T> {
  /** Grows in the order in which they came. */
  readonly id: number;
  readonly state: { readonly kind: string } | { readonly kind: string; readonly to: T };
}

export class Lane<T, E extends Laned<T>> {
  readonly #waiting: E[] = [];
  readonly #underWay: E[] = [];

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#underWay.length === 0;
  }

  /** The first that waits. */
  get next(): E | undefined {
    return this.#waiting[0];
  }

  /** The last one under way of those that came before. */
  lastBefore({ id }: E): E | undefined {
    return this.#underWay[placeOf(this.#underWay, id) - 1];
  }

  /** As its state says. */
  add(entry: E): void {
    const list = this.#listOf(entry);
    list.splice(placeOf(list, entry.id), 0, entry);
  }

  /** Before its state changes. */
  remove(entry: E): void {
    const list = this.#listOf(entry);
    const place = placeOf(list, entry.id);
    if (list[place] === entry) list.splice(place, 1);
  }

  #listOf({ state }: E): E[] {
    return "to" in state ? this.#underWay : this.#waiting;
  }
}

/** Where one with this id is in a list that is in order, or would be. */
function placeOf(list: readonly { readonly id: number }[], id: number): number {
  let [low, high] = [0, list.length];
  // Nearly all come last, or are answered first.
  if ((list.at(-1)?.id ?? 0) < id) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle]?.id ?? id) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
