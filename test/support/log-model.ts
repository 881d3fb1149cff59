/** A topic as a log has it, for tests that need to know the truth: every record that was ever written. */
import type { Batch, PartitionInfo, SourceRecord } from "../../origin/source.ts";

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

  /** Below an offset only the last record of each key stays, and no tombstone. */
  compact(partition: number, below: number): void {
    const { records, removed } = this.#partition(partition);
    const last = new Map(
      records.map(({ key, offset }) => [String(key && Buffer.from(key).toString("hex")), offset]),
    );
    for (const { key, value, offset } of records) {
      if (offset >= below) break;
      const isLast = key !== null && last.get(Buffer.from(key).toString("hex")) === offset;
      if (!isLast || value === null) removed.add(offset);
    }
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
