/**
 * The index in memory, and how it forgets: by age, by count, by bytes, at any time, all of a partition's records before
 * an offset, and what it knew of their keys with them or later. Of compacted topics the latest record of a key stays.
 */
import { IndexError } from "../../origin/index/error.ts";
import type { PageLimits } from "../../origin/index/history.ts";
import { type IndexedRecord, recordBytes } from "../../origin/index/record.ts";
import { nextToDrop } from "../../origin/index/retention.ts";
import { travelling } from "../../origin/index/travelling.ts";
import type { Begun, Latest, Page, PartitionView, RecentLimits } from "../../origin/index/views.ts";
import { type Batch, isTorn, type PartitionInfo } from "../../origin/source/source.ts";
import type { WritableHistory } from "../../origin/watch/history.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { whyAnew, within } from "./memory-history.ts";

export interface Memory {
  readonly records: number;
  readonly bytes: number;
  readonly ageMs: number;
  readonly keepLatest: boolean;
  /** Whether it still knows of which offset a dropped record was, so that the next one can name it. */
  readonly remembersTails: boolean;
}

export const PERFECT: Memory = {
  records: Number.POSITIVE_INFINITY,
  bytes: Number.POSITIVE_INFINITY,
  ageMs: Number.POSITIVE_INFINITY,
  keepLatest: false,
  remembersTails: true,
};

interface Partition {
  readonly epoch: string;
  readonly number: number;
  horizon: number;
  checkpoint: number;
  /** From here on the log held all that was written when it was read. */
  wholeFrom: number;
  logStart: number;
  /** Whether it was read to its end since it was begun. */
  settled: boolean;
  /** From the horizon on, oldest first. */
  held: IndexedRecord[];
  bytes: number;
  /** What is held of a key, oldest first; its latest may lie before the horizon. */
  readonly keys: Map<string, IndexedRecord[]>;
  readonly tails: Map<string, number>;
}

export class ForgetfulIndex implements WritableHistory {
  readonly isResharded = false;
  readonly #memory: Memory;
  readonly #partitions = new Map<number, Partition>();
  /** By epoch: the furthest that the horizon has ever been, that of the index before it included. */
  readonly #forgotten: Map<string, number>;
  #topic: string | undefined;
  #arrival = 0;

  /** @param before The one that was deleted. */
  constructor(memory: Memory, before?: ForgetfulIndex) {
    this.#memory = memory;
    this.#forgotten = new Map(before === undefined ? [] : before.#forgotten);
  }

  topics(): ReadonlySet<string> {
    return new Set(this.#topic === undefined || this.#partitions.size === 0 ? [] : [this.#topic]);
  }

  begin(topic: string, info: PartitionInfo, start: number, removed = false): Begun {
    this.#topic = topic;
    const known = this.#partitions.get(info.partition);
    const anew = whyAnew(known, info) ?? (removed ? "removed" : undefined);
    if (known !== undefined && anew === undefined) {
      known.settled = true;
      this.forget(topic, info);
      return { from: known.checkpoint, anew };
    }
    const { partition: number, epoch } = info;
    this.#partitions.set(number, {
      ...{ epoch, number, horizon: start, checkpoint: start, wholeFrom: start, logStart: start },
      settled: false,
      ...{ held: [], bytes: 0, keys: new Map(), tails: new Map() },
    });
    this.#forgot(epoch, start);
    return { from: start, anew };
  }

  retain(_topic: string, epochs: ReadonlySet<string>): void {
    for (const { number, epoch } of [...this.#partitions.values()])
      if (!epochs.has(epoch)) this.#partitions.delete(number);
  }

  append(_topic: string, number: number, epoch: string, batch: Batch): readonly IndexedRecord[] {
    const partition = this.#partitions.get(number);
    if (partition?.epoch !== epoch) throw new Error(`partition ${number} was not begun with ${epoch}`);
    const torn = isTorn(batch, partition.checkpoint);
    if (torn && partition.settled) throw new IndexError("removed", "it is to be read again");
    if (torn) partition.wholeFrom = batch.wholeFrom;
    const taken: IndexedRecord[] = [];
    for (const record of batch.records) {
      const { key, offset, timestamp } = record;
      if (offset < partition.checkpoint || key === null) continue;
      const text = textOf(key);
      const last = partition.tails.get(text);
      const previous = last !== undefined && last < partition.wholeFrom ? undefined : last;
      const known = { epoch, offset, previous, arrival: this.#arrival++, timestamp, key };
      const indexed = { ...known, ...travelling(record) };
      partition.held.push(indexed);
      partition.bytes += recordBytes(indexed);
      const records = partition.keys.get(text) ?? [];
      partition.keys.set(text, records);
      records.push(indexed);
      partition.tails.set(text, offset);
      taken.push(indexed);
    }
    partition.checkpoint = Math.max(partition.checkpoint, batch.nextOffset);
    partition.settled ||= batch.nextOffset >= batch.endOffset;
    // Of what came before something that was removed only the last record of each key is sure.
    if (torn) this.#drop(partition, batch.wholeFrom, true);
    return taken;
  }

  forget(_topic: string, { partition: number, epoch, startOffset }: PartitionInfo): boolean {
    const partition = this.#partitions.get(number);
    if (partition?.epoch !== epoch || startOffset <= partition.logStart) return false;
    partition.logStart = startOffset;
    this.#drop(partition, startOffset, false);
    for (const [key, records] of partition.keys) {
      const stay = records.filter(({ offset }) => offset >= startOffset);
      if (stay.length > 0) partition.keys.set(key, stay);
      else partition.keys.delete(key);
    }
    return true;
  }

  /** Drops what the bounds don't allow. */
  age(now: number): void {
    const { records: maxRecords, bytes: maxBytes, ageMs } = this.#memory;
    const maxAgeMs = Number.isFinite(ageMs) ? ageMs : undefined;
    for (;;) {
      const candidates = [...this.#partitions.values()].map((partition) => ({
        ...{ partition, retired: false, maxAgeMs },
        ...{ records: partition.held.length, bytes: partition.bytes },
        newest: partition.held[0]?.timestamp,
      }));
      const next = nextToDrop(candidates, { maxRecords, maxBytes }, now)?.partition;
      const [oldest] = next?.held ?? [];
      if (next === undefined || oldest === undefined) return;
      this.#drop(next, oldest.offset + 1);
    }
  }

  /** Drops everything of an epoch before an offset, as far as it was read. */
  dropBefore(offset: number, epoch: string): void {
    for (const partition of this.#partitions.values())
      if (partition.epoch === epoch) this.#drop(partition, offset);
  }

  endOf(epoch: string): number {
    return this.#of(epoch)?.checkpoint ?? 0;
  }

  /** The first offset that hasn't been dropped. */
  horizonOf(epoch: string): number {
    return this.#of(epoch)?.horizon ?? 0;
  }

  /** The furthest that the horizon has ever been: a log that is read again may bring back what was forgotten. */
  forgottenTo(epoch: string): number {
    return this.#forgotten.get(epoch) ?? 0;
  }

  #forgot(epoch: string, horizon: number): void {
    this.#forgotten.set(epoch, Math.max(horizon, this.forgottenTo(epoch)));
  }

  views(_topic: string, key: Uint8Array): readonly PartitionView[] {
    const text = textOf(key);
    return Array.from(
      this.#partitions.values(),
      ({ epoch, number, horizon, wholeFrom, checkpoint, keys }) => {
        const tail = keys.get(text)?.at(-1)?.offset;
        return { partition: number, epoch, horizon, wholeFrom, deletedTo: 0, checkpoint, tail };
      },
    );
  }

  latest(topic: string, key: Uint8Array): Latest {
    const tails = this.views(topic, key).flatMap(({ epoch, tail }) =>
      tail === undefined ? [] : [[epoch, tail] as const],
    );
    return { record: this.#all(key).at(-1), position: new Map(tails) };
  }

  after(_topic: string, key: Uint8Array, from: Position, limits: PageLimits): Page {
    const after = this.#all(key).filter(({ epoch, offset }) => offset > (from.get(epoch) ?? -1));
    const records = within(after, limits);
    return { records, more: records.length < after.length };
  }

  recent(_topic: string, key: Uint8Array, limits: RecentLimits): readonly IndexedRecord[] {
    const oldest = limits.now - limits.maxAgeMs;
    const all = this.#all(key).toReversed();
    const young = all.findIndex(({ timestamp }, at) => at > 0 && (timestamp ?? oldest) < oldest);
    return within(young < 0 ? all : all.slice(0, young), limits).reverse();
  }

  #of(epoch: string): Partition | undefined {
    return [...this.#partitions.values()].find((partition) => partition.epoch === epoch);
  }

  #drop(partition: Partition, offset: number, keepLatest = this.#memory.keepLatest): void {
    const horizon = Math.min(offset, partition.checkpoint);
    if (horizon <= partition.horizon) return;
    partition.horizon = horizon;
    this.#forgot(partition.epoch, horizon);
    const { remembersTails } = this.#memory;
    while (partition.held[0] !== undefined && partition.held[0].offset < horizon) {
      const [record] = partition.held.splice(0, 1);
      if (record !== undefined) partition.bytes -= recordBytes(record);
    }
    for (const [key, records] of partition.keys) {
      const tail = records.at(-1);
      const stay = records.filter((record) => record.offset >= horizon || (keepLatest && record === tail));
      if (stay.length > 0) partition.keys.set(key, stay);
      else {
        partition.keys.delete(key);
        if (!remembersTails) partition.tails.delete(key);
      }
    }
  }

  #all(key: Uint8Array): IndexedRecord[] {
    const text = textOf(key);
    const all = [...this.#partitions.values()].flatMap(({ keys }) => keys.get(text) ?? []);
    return all.sort((a, b) => a.arrival - b.arrival);
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}
