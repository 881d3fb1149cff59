/** What goes when: batches leave from the front of a partition, so that what remains has no hole. */
import type { Batches } from "./batches.ts";
import type { IndexedPartition, IndexedPartitions } from "./indexed-partitions.ts";
import { tailName } from "./tail-table.ts";
import type { Tails } from "./tails.ts";

/** How long a topic's records stay. */
export interface TopicRetention {
  /**
   * Age by the record's timestamp, or by its arrival if that is earlier or there is no timestamp: an index
   * built again from the log drops what the first one dropped, and a clock that runs ahead keeps nothing for
   * ever. A batch goes when its youngest record is older. undefined: no bound.
   */
  readonly maxAgeMs: number | undefined;
  /** For compacted topics: the latest record or tombstone of a key stays, whatever its age and the bounds. */
  readonly keepLatest: boolean;
}

/** Undefined if a topic isn't exposed. */
export interface TopicRetentions {
  get(topic: string): TopicRetention | undefined;
}

/** Over the whole index. Latest records that are kept beyond their batches don't count. */
export interface Bounds {
  readonly maxRecords: number;
  /** Of records on disk with what they need besides: about what the file takes. */
  readonly maxBytes: number;
}

/** What the choice depends on. */
export interface Droppable {
  /** Nothing that its oldest batch holds can be asked for: it is retired, or the log has deleted that. */
  readonly retired: boolean;
  readonly maxAgeMs: number | undefined;
  readonly records: number;
  readonly bytes: number;
  /** Time of the youngest record in the oldest batch; undefined if there is no batch. */
  readonly newest: number | undefined;
}

/**
 * The partition whose oldest batch goes next; undefined if nothing must go. First what nobody can ask for,
 * then what is too old. When there is too much, the largest partition gives: a busy topic shortens its own
 * history, not that of a quiet one.
 */
export function nextToDrop<T extends Droppable>(
  partitions: readonly T[],
  bounds: Bounds,
  now: number,
): T | undefined {
  let records = 0;
  let bytes = 0;
  let mostRecords: T | undefined;
  let mostBytes: T | undefined;
  for (const partition of partitions) {
    if (partition.newest === undefined) continue;
    if (partition.retired) return partition;
    if (partition.maxAgeMs !== undefined && partition.newest < now - partition.maxAgeMs) return partition;
    records += partition.records;
    bytes += partition.bytes;
    if (partition.records > (mostRecords?.records ?? 0)) mostRecords = partition;
    if (partition.bytes > (mostBytes?.bytes ?? 0)) mostBytes = partition;
  }
  if (bytes > bounds.maxBytes) return mostBytes;
  return records > bounds.maxRecords ? mostRecords : undefined;
}

interface Candidate extends Droppable {
  readonly partition: IndexedPartition;
}

/** Records kept that are deleted in one transaction. */
const KEPT_AT_ONCE = 512;
const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** Drops batches, all in a transaction of the caller. If that fails, the caller restores `stored`. */
export class Retention {
  readonly #partitions: IndexedPartitions;
  readonly #batches: Batches;
  readonly #tails: Tails;
  readonly #topics: TopicRetentions;
  readonly #bounds: Bounds;
  /** Before which offset none is kept of a partition. */
  readonly #cleared = new WeakMap<IndexedPartition, number>();

  constructor(
    partitions: IndexedPartitions,
    batches: Batches,
    tails: Tails,
    topics: TopicRetentions,
    bounds: Bounds,
  ) {
    this.#partitions = partitions;
    this.#batches = batches;
    this.#tails = tails;
    this.#topics = topics;
    this.#bounds = bounds;
  }

  /** Whether `drop` would do anything. */
  isDue(now: number): boolean {
    if (this.#partitions.retired.size > 0) return true;
    for (const partition of this.#partitions.live()) if (this.#keptBefore(partition) > 0) return true;
    return nextToDrop(this.#candidates(), this.#bounds, now) !== undefined;
  }

  /**
   * Drops up to `budget` batches, so that one transaction doesn't hold up everything else.
   * Returns the number of records dropped, and the partitions that changed.
   */
  drop(now: number, budget: number): { records: number; changed: ReadonlySet<IndexedPartition> } {
    const candidates = this.#candidates();
    const changed = new Set<IndexedPartition>();
    let records = 0;
    for (let left = budget; left > 0; left--) {
      const next = nextToDrop(candidates, this.#bounds, now);
      if (next === undefined) break;
      records += this.#dropOldest(next.partition);
      changed.add(next.partition);
      candidates[candidates.indexOf(next)] = this.#candidate(next.partition);
    }
    for (const { partition } of candidates) {
      const before = this.#keptBefore(partition);
      if (before === 0) continue;
      const gone = this.#batches.dropKept(partition.id, before, KEPT_AT_ONCE);
      if (gone === 0) this.#cleared.set(partition, before);
      const isLast = gone === 0 && before === EVERYTHING;
      partition.stored = { ...partition.stored, kept: isLast ? 0 : partition.stored.kept - gone };
      records += gone;
      changed.add(partition);
    }
    return { records, changed };
  }

  /** Whether nothing on disk needs this retired partition any more; what remains of its tails is swept. */
  isGone(partition: IndexedPartition): boolean {
    return this.#oldest(partition) === null && partition.stored.kept === 0;
  }

  #candidates(): Candidate[] {
    return Array.from(this.#partitions.all(), (partition) => this.#candidate(partition));
  }

  #candidate(partition: IndexedPartition): Candidate {
    return {
      partition,
      retired: this.#retires(partition) || this.#isDeleted(partition),
      maxAgeMs: this.#topics.get(partition.topic)?.maxAgeMs,
      records: partition.stored.records,
      bytes: partition.stored.bytes,
      newest: this.#oldest(partition)?.newest,
    };
  }

  #retires(partition: IndexedPartition): boolean {
    return this.#partitions.retired.has(partition);
  }

  /** Whether the log has deleted all that the oldest batch holds. */
  #isDeleted(partition: IndexedPartition): boolean {
    const oldest = this.#oldest(partition);
    return oldest !== null && oldest.lastOffset < partition.logStart;
  }

  /** The offset before which records may be kept that nothing asks for any more. 0: none. */
  #keptBefore(partition: IndexedPartition): number {
    if (partition.stored.kept === 0) return 0;
    const { logStart } = partition;
    const before = this.#retires(partition) || !this.#keepsLatest(partition) ? EVERYTHING : logStart;
    return (this.#cleared.get(partition) ?? 0) >= before ? 0 : before;
  }

  #keepsLatest(partition: IndexedPartition): boolean {
    return this.#topics.get(partition.topic)?.keepLatest === true;
  }

  #oldest(partition: IndexedPartition) {
    if (partition.oldest === undefined) partition.oldest = this.#batches.oldest(partition.id) ?? null;
    return partition.oldest;
  }

  #dropOldest(partition: IndexedPartition): number {
    const oldest = this.#oldest(partition);
    if (!oldest) return 0;
    const added =
      this.#keepsLatest(partition) && !this.#retires(partition) ? this.#keep(partition, oldest.id) : 0;
    this.#batches.delete(oldest.id);
    partition.oldest = undefined;
    partition.stored = {
      horizon: Math.max(partition.stored.horizon, oldest.lastOffset + 1),
      records: partition.stored.records - oldest.records,
      bytes: partition.stored.bytes - oldest.bytes,
      kept: partition.stored.kept + added,
    };
    return oldest.records;
  }

  /** Keeps those of a batch that are the last of their keys. Returns how many keys had none kept before. */
  #keep(partition: IndexedPartition, batch: number): number {
    const blob = this.#batches.read(batch);
    let added = 0;
    for (let index = 0; index < blob.count; index++) {
      if (blob.offset(index) < partition.logStart) continue;
      const name = tailName(blob.key(index));
      if (this.#tails.last(partition.id, name, 0) !== blob.offset(index)) continue;
      if (this.#batches.keep(partition.id, name, blob.record(index, partition.epoch))) added++;
      // The batches are what a tail that was not written back is found in again.
      this.#tails.write(partition.id, name, blob.offset(index));
    }
    return added;
  }
}
