/**
 * The origin's index: recent records of each endpoint (a topic and a key's bytes), on disk, bounded, and
 * built again from the log whenever it can't be used.
 *
 * One process, one thread, no timers of its own: its owner calls `tick`. Everything is synchronous, so
 * reading and going live can be one step. Every method may throw IndexError `closed`, `corrupt` or
 * `disk_failed`; records and positions are never answered wrongly instead.
 */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Position } from "../../shared/protocol/position.ts";
import { type Batch, isTorn, type PartitionInfo } from "../source/source.ts";
import { Batches } from "./batches.ts";
import { IndexError, isDamage, translated } from "./error.ts";
import type { PageLimits } from "./history.ts";
import { horizonOf, type IndexedPartition, IndexedPartitions } from "./indexed-partitions.ts";
import { Ingest } from "./ingest.ts";
import { Lookup } from "./lookup.ts";
import type { IndexedRecord } from "./record.ts";
import { replayedTails } from "./replayed-tails.ts";
import { type Bounds, Retention, type TopicRetentions } from "./retention.ts";
import {
  dropAside,
  type OpenFile,
  openFile,
  putAside,
  type Rebuilt,
  SIZED,
  takeSlice,
  transaction,
  WHOLE_SLICE,
} from "./schema.ts";
import type { Begun, IndexFacts, Latest, Page, PartitionView, RecentLimits } from "./views.ts";
import { WriteBehind } from "./write-behind.ts";

export interface IndexOptions {
  /** Made if it isn't there. The index is `index.db` in it, with `-wal`, `-shm` and `index.lock` beside it. */
  readonly directory: string;
  /** The topics that are exposed. What the index has of others is dropped. */
  readonly topics: TopicRetentions;
  /** Names the partitions that are read; an index of another name may lack some that aren't new. */
  readonly slice?: string;
  readonly bounds: Bounds;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface OpenedIndex {
  readonly index: RecordIndex;
  /** What was wrong with the file that was there; undefined if there was none, or nothing wrong. */
  readonly rebuilt: Rebuilt | undefined;
}

/** Opens the index or makes it. Throws IndexError `unwritable` or `in_use`. */
export function openIndex(options: IndexOptions): OpenedIndex {
  const { loaded, rebuilt } = openFile(options.directory, (file) => new RecordIndex(file, options));
  return { index: loaded, rebuilt };
}

export class RecordIndex {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #lock: DatabaseSync;
  readonly #writeBehind: WriteBehind;
  readonly #partitions: IndexedPartitions;
  readonly #batches: Batches;
  readonly #lookup: Lookup;
  readonly #ingest: Ingest;
  /** Whether it was of another slice when it was opened. */
  readonly isResharded: boolean;
  #ended: IndexError | undefined;

  /** Use `openIndex`. */
  constructor(file: OpenFile, options: IndexOptions) {
    this.#db = file.db;
    this.#path = file.path;
    this.#lock = file.lock;
    this.#writeBehind = new WriteBehind(file.path);
    this.#partitions = new IndexedPartitions(
      file.db,
      (topic) => options.topics.get(topic)?.keepLatest === true,
    );
    this.#batches = new Batches(file.db);
    for (const partition of [...this.#partitions.live()]) {
      if (options.topics.get(partition.topic) !== undefined) continue;
      this.#partitions.markRetired(partition);
      this.#partitions.retire(partition);
    }
    this.isResharded = takeSlice(file.db, options.slice ?? WHOLE_SLICE);
    const tails = replayedTails(file.db, this.#partitions, this.#batches, options.topics);
    this.#lookup = new Lookup(this.#partitions, this.#batches, tails, options.topics);
    const retention = new Retention(this.#partitions, this.#batches, tails, options.topics, options.bounds);
    this.#ingest = new Ingest(
      file.db,
      this.#partitions,
      this.#batches,
      tails,
      retention,
      options.now,
      this.#writeBehind,
    );
  }

  /** Topics with a partition that was begun. */
  topics(): ReadonlySet<string> {
    return new Set(Array.from(this.#partitions.live(), ({ topic }) => topic));
  }

  /**
   * Before a partition is read: says where to read on. If the log and what was read of it don't join, the
   * partition starts anew at `start`, and what was known of it answers nothing any more.
   * @param start an offset that the log holds, or its end.
   * @param removed whether `append` has refused what comes next.
   */
  begin(topic: string, info: PartitionInfo, start: number, removed = false): Begun {
    return this.#use(() => {
      const known = this.#partitions.get(topic, info.partition);
      const anew = whyAnew(known, info) ?? (removed ? "removed" : undefined);
      if (known !== undefined && anew === undefined) {
        if (this.#ingest.forget(known, info.startOffset)) known.deletedTo = info.startOffset;
        return { from: known.checkpoint, anew };
      }
      this.#ingest.commit();
      let added: IndexedPartition | undefined;
      transaction(this.#db, () => {
        if (known !== undefined) this.#partitions.markRetired(known);
        added = this.#partitions.insert(topic, info.partition, info.epoch, start);
      });
      if (known !== undefined) this.#partitions.retire(known);
      if (added !== undefined) this.#partitions.added(added);
      return { from: start, anew };
    });
  }

  /**
   * The log holds nothing of a partition from before an offset any more: what was held from there is served no longer,
   * at once, and leaves the disk in time. Returns whether that is new.
   */
  forget(topic: string, { partition, epoch, startOffset }: PartitionInfo): boolean {
    return this.#use(() => {
      const known = this.#partitions.get(topic, partition);
      return known?.epoch === epoch && this.#ingest.forget(known, startOffset);
    });
  }

  /** Forgets the topic's partitions that have none of these epochs: it was created again, with fewer of them. */
  retain(topic: string, epochs: ReadonlySet<string>): void {
    this.#use(() => {
      const gone = [...this.#partitions.ofTopic(topic)].filter(({ epoch }) => !epochs.has(epoch));
      if (gone.length === 0) return;
      this.#ingest.commit();
      transaction(this.#db, () => {
        for (const partition of gone) this.#partitions.markRetired(partition);
      });
      for (const partition of gone) this.#partitions.retire(partition);
    });
  }

  /**
   * Takes what is new in a batch; offsets below the checkpoint are ignored. Returns the records that were
   * taken, each with its predecessor: what is to be forwarded. The batch's bytes are held, not copied, until
   * they are written, and must not change. Throws IndexError `not_begun`, `removed` or
   * `disk_failed`: then nothing was taken.
   */
  append(topic: string, partition: number, epoch: string, batch: Batch): readonly IndexedRecord[] {
    return this.#use(() => {
      const known = this.#partitions.get(topic, partition);
      if (known === undefined || known.epoch !== epoch)
        throw new IndexError("not_begun", `${topic}/${partition} is not being read with epoch ${epoch}`);
      if (known.settled && isTorn(batch, known.checkpoint))
        throw new IndexError(
          "removed",
          `${topic}/${partition} holds no longer all that was written from ${known.checkpoint} to ${batch.wholeFrom}`,
        );
      return this.#ingest.append(known, batch);
    });
  }

  /** Writes what has waited for 200 ms and drops what is too old. To be called about that often. */
  tick(): void {
    this.#use(() => {
      if (this.#ingest.isDue()) this.#ingest.commit();
      this.#ingest.emptyWal();
    });
  }

  /** The next offset to fetch; undefined if this epoch of the partition was not begun. */
  checkpoint(topic: string, partition: number, epoch: string): number | undefined {
    const known = this.#partitions.get(topic, partition);
    return known?.epoch === epoch ? known.checkpoint : undefined;
  }

  /** The key's last offset in each epoch in which it is held. */
  tails(topic: string, key: Uint8Array): Position {
    return this.#use(() => this.#lookup.tails(topic, key));
  }

  /** The record that arrived last. */
  latest(topic: string, key: Uint8Array): Latest {
    return this.#use(() => this.#lookup.latest(topic, key));
  }

  /** Every partition of the topic that was begun, with what is known of the key there. */
  views(topic: string, key: Uint8Array): readonly PartitionView[] {
    return this.#use(() => this.#lookup.views(topic, key));
  }

  /** The records after `from`, oldest first: at least one if there is any. */
  after(topic: string, key: Uint8Array, from: Position, limits: PageLimits): Page {
    return this.#use(() => this.#lookup.after(topic, key, from, limits));
  }

  /** The newest records, oldest first, for filling a window: the last one however old, others within limits. */
  recent(topic: string, key: Uint8Array, limits: RecentLimits): readonly IndexedRecord[] {
    return this.#use(() => this.#lookup.recent(topic, key, limits));
  }

  facts(): IndexFacts {
    const partitions = Array.from(this.#partitions.live(), (partition) => ({
      topic: partition.topic,
      partition: partition.number,
      epoch: partition.epoch,
      horizon: horizonOf(partition),
      checkpoint: partition.checkpoint,
      records: partition.stored.records,
      bytes: partition.stored.bytes,
      kept: partition.stored.kept,
      keyless: partition.keyless,
      keyTooLong: partition.keyTooLong,
      omitted: partition.omitted,
      oldestAt: this.#oldestAt(partition),
    }));
    let diskBytes = 0;
    for (const suffix of SIZED)
      diskBytes += statSync(this.#path + suffix, { throwIfNoEntry: false })?.size ?? 0;
    return { partitions, counts: { ...this.#ingest.counts }, diskBytes };
  }

  #oldestAt({ id, oldest }: IndexedPartition): number | undefined {
    if (oldest !== undefined || this.#ended !== undefined) return oldest?.newest;
    try {
      return this.#use(() => this.#batches.oldest(id)?.newest);
    } catch {
      // Facts are for people. The next tick fails, too, and says why.
      return undefined;
    }
  }

  /** Writes everything that was buffered. Closing twice is closing once. */
  close(): void {
    if (this.#ended !== undefined) return;
    try {
      this.#use(() => this.#ingest.finish());
    } finally {
      this.#end(new IndexError("closed", "the index is closed"));
    }
  }

  #use<T>(work: () => T): T {
    if (this.#ended !== undefined) throw this.#ended;
    try {
      return work();
    } catch (error) {
      const failure = translated(error, "use");
      if (isDamage(failure)) this.#breakOff(failure);
      else if (failure instanceof IndexError && failure.code === "disk_failed") this.#makeRoom();
      throw failure;
    }
  }

  #breakOff(failure: IndexError): void {
    this.#end(failure);
    // If the disk doesn't allow even that, the next to open it finds the same and says so.
    try {
      failure.aside = putAside(this.#path);
    } catch {}
  }

  /** The disk may be full. */
  #makeRoom(): void {
    try {
      dropAside(this.#path);
    } catch {}
  }

  #end(why: IndexError): void {
    this.#ended ??= why;
    this.#writeBehind.close();
    if (this.#db.isOpen) this.#db.close();
    if (this.#lock.isOpen) this.#lock.close();
  }
}

function whyAnew(known: IndexedPartition | undefined, info: PartitionInfo): Begun["anew"] {
  if (known === undefined) return "new";
  if (known.epoch !== info.epoch) return "epoch";
  if (known.checkpoint < info.startOffset) return "hole";
  return known.checkpoint > info.endOffset ? "truncated" : undefined;
}
