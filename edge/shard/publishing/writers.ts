/** Which origins said that they write which partitions, or are taking them, on which uplinks: W8 of INTERNALS.md. Pure. */
import { partitionOf } from "../../../shared/core/partitioner.ts";
import type { WriterStanding, Writing } from "../../../shared/protocol/publish.ts";

interface Topic<T> {
  /** As it was heard last. */
  partitions: number;
  readonly writers: Map<number, Map<T, NonNullable<WriterStanding>>>;
}

export class Writers<T> {
  readonly #topics = new Map<string, Topic<T>>();

  heard(from: T, { topic, partition, partitions, number }: Writing): void {
    if (number === undefined) {
      this.#forget(topic, partition, from);
      return;
    }
    const known = this.#topics.get(topic) ?? { partitions, writers: new Map() };
    this.#topics.set(topic, known);
    known.partitions = partitions;
    const writers = known.writers.get(partition) ?? new Map<T, NonNullable<WriterStanding>>();
    known.writers.set(partition, writers.set(from, number));
  }

  /** An uplink is no more. Returns the partitions that were its origin's, or about to be. */
  lost(from: T): readonly { readonly topic: string; readonly partition: number }[] {
    const had: { topic: string; partition: number }[] = [];
    for (const [topic, { writers }] of this.#topics)
      for (const [partition, of] of [...writers]) {
        if (of.has(from)) had.push({ topic, partition });
        this.#forget(topic, partition, from);
      }
    return had;
  }

  /** The partition of a key; undefined if nobody has said how many there are. */
  partitionOf(topic: string, key: Uint8Array): number | undefined {
    const known = this.#topics.get(topic);
    return known && partitionOf(key, known.partitions);
  }

  /** Of those that say that they write a partition, and are open, the one that does. */
  highest(topic: string, partition: number, isOpen: (from: T) => boolean): T | undefined {
    const [highest] = this.#of(topic, partition)
      .flatMap(([from, number]) => (number !== "taking" && isOpen(from) ? [{ from, number }] : []))
      .sort((a, b) => b.number.id - a.number.id || b.number.epoch - a.number.epoch);
    return highest?.from;
  }

  /** One that says that it is taking a partition, and may be asked. */
  taking(topic: string, partition: number, mayAsk: (from: T) => boolean): T | undefined {
    return this.#of(topic, partition).find(([from, number]) => number === "taking" && mayAsk(from))?.[0];
  }

  #of(topic: string, partition: number): (readonly [T, NonNullable<WriterStanding>])[] {
    return [...(this.#topics.get(topic)?.writers.get(partition) ?? [])];
  }

  #forget(topic: string, partition: number, from: T): void {
    const known = this.#topics.get(topic);
    const writers = known?.writers.get(partition);
    if (known === undefined || writers === undefined) return;
    writers.delete(from);
    if (writers.size === 0) known.writers.delete(partition);
    if (known.writers.size === 0) this.#topics.delete(topic);
  }
}
