/**
 * How many partitions a topic has, and how many it had lately: by that, keys were published elsewhere. Pure.
 *
 * Whoever begins to publish to a topic can't know how many it had before. So unless somebody who has watched it for long
 * enough says that it is settled, a key may have been published to any of them.
 */
import { partitionOf } from "../../shared/core/partitioner.ts";

const NONE: readonly number[] = [];

export class Counts {
  /** For how long something that was published by an earlier count may come again. */
  readonly #keptMs: number;
  #count: number;
  /** Counts that it had, or may have had since, and until when they matter. */
  #earlier: { readonly from: number; readonly below: number; readonly until: number }[] = [];
  /** Until then there may have been others. */
  #unsureUntil: number;

  constructor(count: number, now: number, keptMs: number) {
    this.#count = count;
    this.#keptMs = keptMs;
    this.#unsureUntil = now + keptMs;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether what is published now can't have been published by another count. */
  isSettled(now: number): boolean {
    if (this.#earlier.some(({ until }) => now >= until))
      this.#earlier = this.#earlier.filter(({ until }) => now < until);
    return this.#earlier.length === 0 && now >= this.#unsureUntil;
  }

  /** Somebody has said so of the present count. */
  settle(): void {
    this.#unsureUntil = Number.NEGATIVE_INFINITY;
  }

  /** It may have grown several times since it was looked at, and others may have seen that. */
  grow(count: number, now: number): void {
    this.#earlier.push({ from: this.#count, below: count, until: now + this.#keptMs });
    this.#count = count;
  }

  partitionOf(key: Uint8Array): number {
    return partitionOf(key, this.#count);
  }

  /** Where else the same may have been published. */
  othersOf(key: Uint8Array, now: number): readonly number[] {
    if (this.isSettled(now)) return NONE;
    const own = this.partitionOf(key);
    const others = new Set<number>();
    if (now < this.#unsureUntil)
      for (let partition = 0; partition < this.#count; partition++) others.add(partition);
    else
      for (const { from, below } of this.#earlier)
        for (let count = from; count < below; count++) others.add(partitionOf(key, count));
    others.delete(own);
    return [...others];
  }
}
