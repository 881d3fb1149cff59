/** The index as far as forwarding needs it, in memory; what it drops is told by the test. */

import { IndexError } from "../../origin/index/error.ts";
import type { PageLimits } from "../../origin/index/history.ts";
import { type IndexedRecord, recordBytes } from "../../origin/index/record.ts";
import { travelling } from "../../origin/index/travelling.ts";
import type { Begun, Latest, Page, PartitionView, RecentLimits } from "../../origin/index/views.ts";
import { type Batch, isTorn, type PartitionInfo } from "../../origin/source/source.ts";
import type { WritableHistory } from "../../origin/watch/history.ts";
import type { Position } from "../../shared/protocol/position.ts";

interface Partition {
  readonly epoch: string;
  readonly number: number;
  horizon: number;
  checkpoint: number;
  /** Whether it was read to its end since it was begun. */
  settled: boolean;
  logStart: number;
  wholeFrom: number;
  deletedTo: number;
  records: IndexedRecord[];
}

export class MemoryHistory implements WritableHistory {
  readonly #topics = new Map<string, Map<number, Partition>>();
  isResharded = false;
  #arrival = 0;

  topics(): ReadonlySet<string> {
    return new Set([...this.#topics].flatMap(([topic, { size }]) => (size > 0 ? [topic] : [])));
  }

  begin(topic: string, info: PartitionInfo, start: number, removed = false): Begun {
    const partitions = this.#topics.get(topic) ?? new Map<number, Partition>();
    this.#topics.set(topic, partitions);
    const known = partitions.get(info.partition);
    const anew = whyAnew(known, info) ?? (removed ? "removed" : undefined);
    if (known !== undefined && anew === undefined) {
      known.settled = true;
      if (this.forget(topic, info)) known.deletedTo = info.startOffset;
      return { from: known.checkpoint, anew };
    }
    const { partition: number, epoch } = info;
    const fresh = {
      horizon: start,
      checkpoint: start,
      settled: false,
      logStart: start,
      wholeFrom: start,
      deletedTo: 0,
      records: [],
    };
    partitions.set(number, { epoch, number, ...fresh });
    return { from: start, anew };
  }

  forget(topic: string, { partition: number, epoch, startOffset }: PartitionInfo): boolean {
    const partition = this.#topics.get(topic)?.get(number);
    if (partition?.epoch !== epoch || startOffset <= partition.logStart) return false;
    partition.logStart = startOffset;
    partition.horizon = Math.max(partition.horizon, Math.min(startOffset, partition.checkpoint));
    partition.records = partition.records.filter(({ offset }) => offset >= startOffset);
    return true;
  }

  retain(topic: string, epochs: ReadonlySet<string>): void {
    const partitions = this.#topics.get(topic);
    for (const { number, epoch } of this.#partitions(topic))
      if (!epochs.has(epoch)) partitions?.delete(number);
  }

  append(topic: string, number: number, epoch: string, batch: Batch): readonly IndexedRecord[] {
    const partition = this.#topics.get(topic)?.get(number);
    if (partition?.epoch !== epoch) throw new Error(`${topic}/${number} was not begun with ${epoch}`);
    const torn = isTorn(batch, partition.checkpoint);
    if (torn && partition.settled) throw new IndexError("removed", "scripted");
    const wholeFrom = torn ? batch.wholeFrom : partition.wholeFrom;
    const taken: IndexedRecord[] = [];
    for (const record of batch.records) {
      const { key, offset, timestamp } = record;
      if (offset < partition.checkpoint || key === null || key.length > 1_024) continue;
      const last = this.#of(partition, key).at(-1)?.offset;
      const previous = last !== undefined && last < wholeFrom ? undefined : last;
      const known = { epoch, offset, previous, arrival: this.#arrival++, timestamp, key };
      const indexed = { ...known, ...travelling(record) };
      partition.records.push(indexed);
      taken.push(indexed);
    }
    partition.checkpoint = batch.nextOffset;
    partition.settled ||= batch.nextOffset >= batch.endOffset;
    // Of what came before something that was removed only the last record of each key is sure.
    if (torn) {
      partition.wholeFrom = batch.wholeFrom;
      this.drop(topic, number, batch.wholeFrom, true);
    }
    return taken;
  }

  /** Drops everything of a partition below an offset, but for the latest of each key where that is to be kept. */
  drop(topic: string, number: number, below: number, keepLatest: boolean): void {
    const partition = this.#topics.get(topic)?.get(number);
    if (partition === undefined) return;
    partition.horizon = Math.max(partition.horizon, Math.min(below, partition.checkpoint));
    partition.records = partition.records.filter(
      (record) =>
        record.offset >= partition.horizon ||
        (keepLatest && this.#of(partition, record.key).at(-1) === record),
    );
  }

  views(topic: string, key: Uint8Array): readonly PartitionView[] {
    return this.#partitions(topic).map((partition) => {
      const { epoch, number, horizon, wholeFrom, checkpoint, deletedTo } = partition;
      const tail = this.#of(partition, key).at(-1)?.offset;
      return { partition: number, epoch, horizon, wholeFrom, checkpoint, deletedTo, tail };
    });
  }

  latest(topic: string, key: Uint8Array): Latest {
    const tails = this.views(topic, key).flatMap(({ epoch, tail }) =>
      tail === undefined ? [] : [[epoch, tail] as const],
    );
    return { record: this.#all(topic, key).at(-1), position: new Map(tails) };
  }

  after(topic: string, key: Uint8Array, from: Position, limits: PageLimits): Page {
    const after = this.#all(topic, key).filter(({ epoch, offset }) => offset > (from.get(epoch) ?? -1));
    const records = within(after, limits);
    return { records, more: records.length < after.length };
  }

  recent(topic: string, key: Uint8Array, limits: RecentLimits): readonly IndexedRecord[] {
    const oldest = limits.now - limits.maxAgeMs;
    const all = this.#all(topic, key).toReversed();
    const young = all.findIndex(({ timestamp }, at) => at > 0 && (timestamp ?? oldest) < oldest);
    return within(young < 0 ? all : all.slice(0, young), limits).reverse();
  }

  #partitions(topic: string): Partition[] {
    return [...(this.#topics.get(topic)?.values() ?? [])];
  }

  #of(partition: Partition, key: Uint8Array): IndexedRecord[] {
    return partition.records.filter((record) => Buffer.compare(record.key, key) === 0);
  }

  #all(topic: string, key: Uint8Array): IndexedRecord[] {
    const all = this.#partitions(topic).flatMap((partition) => this.#of(partition, key));
    return all.sort((a, b) => a.arrival - b.arrival);
  }
}

/** As many of them as a page may hold, but one at least. */
export function within(records: readonly IndexedRecord[], limits: PageLimits): IndexedRecord[] {
  let bytes = 0;
  const end = records.findIndex((record, at) => {
    bytes += recordBytes(record);
    return at > 0 && (at >= limits.maxRecords || bytes > limits.maxBytes);
  });
  return records.slice(0, end < 0 ? records.length : end);
}

/** Why what is known of a partition doesn't go on, if it doesn't. */
export function whyAnew(
  known: { readonly epoch: string; readonly checkpoint: number } | undefined,
  info: PartitionInfo,
): Begun["anew"] {
  if (known === undefined) return "new";
  if (known.epoch !== info.epoch) return "epoch";
  if (known.checkpoint < info.startOffset) return "hole";
  return known.checkpoint > info.endOffset ? "truncated" : undefined;
}
