/**
 * Slices that were not waited for when an object asked for the first time: of them it has nothing to go on from. It may
 * take long until they come, so for each watch there is no more than this.
 */
import type { Watch } from "../links/links.ts";

export class Unheard {
  /** Of each slice whether it was asked from where the link is. */
  readonly #slices = new Map<Watch, Map<number, boolean>>();

  /** Whether the slice is to be asked from where the link is: once, until it has been heard. */
  leads(watch: Watch, slice: number): boolean {
    const slices = this.#slices.get(watch);
    if (slices?.get(slice) !== false) return false;
    slices.set(slice, true);
    return true;
  }

  note(watch: Watch, slices: Set<number>): void {
    if (slices.size > 0) this.#slices.set(watch, new Map([...slices].map((slice) => [slice, false])));
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
