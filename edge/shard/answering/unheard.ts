/**
 * Slices that were not waited for when an object asked for the first time: of them it has nothing to go on from. It may
 * take long until they come, so for each watch there is no more than this.
 */
import type { Watch } from "../links/links.ts";

export class Unheard {
  readonly #slices = new Map<Watch, Set<number>>();

  has(watch: Watch, slice: number): boolean {
    return this.#slices.get(watch)?.has(slice) ?? false;
  }

  note(watch: Watch, slices: Set<number>): void {
    if (slices.size > 0) this.#slices.set(watch, slices);
    else this.forget(watch);
  }

  heard(watch: Watch, slice: number): void {
    const slices = this.#slices.get(watch);
    if (slices?.delete(slice) && slices.size === 0) this.forget(watch);
  }

  forget(watch: Watch): void {
    this.#slices.delete(watch);
  }
}
