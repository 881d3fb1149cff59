/**
 * The publishes of one path that aren't answered, in the order in which they came (W9 of INTERNALS.md): those that are under way
 * at an origin, and those that wait. Whatever happens to one of them, the others aren't gone through.
 */
import { Ordered } from "../../../shared/core/ordered.ts";

export interface Laned<T> {
  /** Grows in the order in which they came. */
  readonly id: number;
  readonly state: { readonly kind: string } | { readonly kind: string; readonly to: T };
}

export class Lane<T, E extends Laned<T>> {
  readonly #waiting = new Ordered<E>(({ id }) => id);
  readonly #underWay = new Ordered<E>(({ id }) => id);

  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#underWay.size === 0;
  }

  /** The first that waits. */
  get next(): E | undefined {
    return this.#waiting.first;
  }

  /** The last one under way of those that came before. */
  underWayBefore(entry: E): E | undefined {
    return this.#underWay.before(entry);
  }

  /** As its state says. */
  add(entry: E): void {
    this.#listOf(entry).add(entry);
  }

  /** Before its state changes. */
  remove(entry: E): void {
    this.#listOf(entry).delete(entry);
  }

  #listOf({ state }: E): Ordered<E> {
    return "to" in state ? this.#underWay : this.#waiting;
  }
}
