/** Which origins said that they write which partitions, on which uplinks: W8 of INTERNALS.md. Pure. */
import { partitionOf } from "../../../shared/core/partitioner.ts";
import type { WriterNumber, Writing } from "../../../shared/protocol/publish.ts";

interface Topic<T> {
  /** As it was heard last. */
  partitions: number;
  readonly writers: Map<number, Map<T, WriterNumber>>;
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
    const writers = known.writers.get(partition) ?? new Map<T, WriterNumber>();
    known.writers.set(partition, writers.set(from, number));
  }

  /** An uplink is no more. */
  lost(from: T): void {
    for (const [topic, { writers }] of this.#topics)
      for (const partition of [...writers.keys()]) this.#forget(topic, partition, from);
  }

  /** The partition of a key; undefined if nobody has said how many there are. */
  partitionOf(topic: string, key: Uint8Array): number | undefined {
    const known = this.#topics.get(topic);
    return known && partitionOf(key, known.partitions);
  }

  /** Of those that say that they write a partition, and are open, the one that does. */
  highest(topic: string, partition: number, isOpen: (from: T) => boolean): T | undefined {
    const [highest] = [...(this.#topics.get(topic)?.writers.get(partition) ?? [])]
      .filter(([from]) => isOpen(from))
      .sort(([, a], [, b]) => b.id - a.id || b.epoch - a.epoch);
    return highest?.[0];
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
