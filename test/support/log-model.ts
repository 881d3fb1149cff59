/** A topic as a log has it, for tests that need to know the truth: every record that was ever written. */
import type { Batch, PartitionInfo, SourceRecord } from "../../origin/source/source.ts";

interface ModelPartition {
  epoch: string;
  start: number;
  /** All that were written. */
  readonly records: SourceRecord[];
  /** Offsets of those that compaction has taken. */
  readonly removed: Set<number>;
}

export class LogModel {
  /** Of the records that are written next, in milliseconds since 1970. */
  time: number;
  #incarnation = 0;
  partitions: ModelPartition[] = [];

  constructor(partitions: number, time: number) {
    this.time = time;
    this.recreate(partitions);
  }

  /** The topic is deleted and created again, under the same name. */
  recreate(partitions: number): void {
    const incarnation = this.#incarnation++;
    this.partitions = Array.from({ length: partitions }, (_, number) => ({
      epoch: `i${incarnation}.${number}`,
      start: 0,
      records: [],
      removed: new Set(),
    }));
  }

  grow(): void {
    const epoch = `i${this.#incarnation - 1}.${this.partitions.length}`;
    this.partitions.push({ epoch, start: 0, records: [], removed: new Set() });
  }

  /** @param skip Offsets that the marks of transactions take. */
  write(partition: number, key: Uint8Array | null, value: Uint8Array | null, skip = 0): void {
    const { records } = this.#partition(partition);
    const offset = (records.at(-1)?.offset ?? -1) + 1 + skip;
    records.push({ offset, timestamp: this.time, key, value, headers: [] });
  }

  /** Retention passes over everything below an offset. */
  drop(partition: number, below: number): void {
    const found = this.#partition(partition);
    found.start = Math.max(found.start, Math.min(below, endOf(found)));
  }

  /**
   * Of what lies below an offset only the last record of each key stays; a tombstone goes once it is old enough, if
   * nothing stays before it.
   */
  compact(partition: number, below: number, areTombstonesOld: boolean): void {
    const { records, removed } = this.#partition(partition);
    const keyed = records.filter(({ offset, key }) => offset < below && key !== null);
    const last = new Map(keyed.map(({ key, offset }) => [hex(key), offset]));
    for (const { key, value, offset } of keyed)
      if (last.get(hex(key)) !== offset || (value === null && areTombstonesOld)) removed.add(offset);
  }

  /** The last record of a key that was written, whether or not the log still holds it. */
  last(partition: number, key: Uint8Array): SourceRecord | undefined {
    return this.#partition(partition).records.findLast((record) => hex(record.key) === hex(key));
  }

  offsetAt(partition: number, timestamp: number): number | undefined {
    const { start, records } = this.#partition(partition);
    return records.find((record) => record.offset >= start && (record.timestamp ?? -1) >= timestamp)?.offset;
  }

  read(partition: number, from: number, max: number): Batch {
    const found = this.#partition(partition);
    const written = found.records.filter(({ offset }) => offset >= from).slice(0, max);
    const records = written.filter(({ offset }) => !found.removed.has(offset));
    const gone = written.findLast(({ offset }) => found.removed.has(offset))?.offset;
    const nextOffset = Math.max(from, (written.at(-1)?.offset ?? from - 1) + 1);
    const batch = { records, nextOffset, endOffset: endOf(found) };
    return gone === undefined ? batch : { ...batch, wholeFrom: gone + 1 };
  }

  describe(): PartitionInfo[] {
    return this.partitions.map((found, partition) => ({
      partition,
      epoch: found.epoch,
      startOffset: found.start,
      endOffset: endOf(found),
    }));
  }

  #partition(partition: number): ModelPartition {
    const found = this.partitions[partition];
    if (found === undefined) throw new Error(`no partition ${partition}`);
    return found;
  }
}

function endOf({ records }: ModelPartition): number {
  return (records.at(-1)?.offset ?? -1) + 1;
}

function hex(key: Uint8Array | null): string | undefined {
  return key === null ? undefined : Buffer.from(key).toString("hex");
}
