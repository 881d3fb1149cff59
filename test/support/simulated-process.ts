/**
 * The middle of a simulated origin while its process lives: the product's own partitions, forwarder and watch list, over
 * an index that forgets and a log that it reads as it is told to, record by record.
 */

import { IndexError } from "../../origin/index/error.ts";
import type { IndexedRecord } from "../../origin/index/record.ts";
import { travelling } from "../../origin/index/travelling.ts";
import { Forwarder } from "../../origin/reading/forwarder.ts";
import { isReady, Partitions } from "../../origin/reading/partitions.ts";
import { Progress } from "../../origin/reading/progress.ts";
import { type PartitionInfo, type Source, SourceError } from "../../origin/source/source.ts";
import type { AnswerBounds } from "../../origin/watch/answer-bounds.ts";
import type { Gap } from "../../origin/watch/proof.ts";
import type { Replayed } from "../../origin/watch/replayed.ts";
import { Replays } from "../../origin/watch/replays.ts";
import { WatchList } from "../../origin/watch/watch-list.ts";
import { type Stream, Streams } from "../../shared/config/streams.ts";
import { parseAddress } from "../../shared/protocol/address.ts";
import { hasPartition, type Slice } from "../../shared/protocol/slice.ts";
import type { ForgetfulIndex } from "./forgetful-index.ts";
import type { Written, WrittenLog } from "./written-log.ts";

export interface ProcessPorts {
  readonly slice: Slice;
  readonly log: WrittenLog;
  readonly index: ForgetfulIndex;
  readonly stream: Stream;
  readonly bounds: AnswerBounds;
  /** In which of so many partitions a key is at home. */
  homeOf(key: string, count: number): number;
  now(): number;
  /** Makes this process look at the topic soon. */
  lookSoon(): void;
  readinessChanged(): void;
}

export class SimulatedProcess {
  readonly watchList: WatchList;
  readonly #ports: ProcessPorts;
  readonly partitions: Partitions;
  readonly #forwarder: Forwarder;
  /** Whether it looks at the topic soon. */
  #isLooking = false;
  /** At which of the log's changes it looked last. */
  #described: number | undefined;

  constructor(ports: ProcessPorts) {
    this.#ports = ports;
    const { index: history, stream, slice, bounds, log: written } = ports;
    const partitions = new Partitions([stream.topic]);
    const now = () => ports.now();
    this.partitions = partitions;
    this.watchList = new WatchList({
      ...{ history, partitions, slice, bounds, now },
      homeOf: (key, count) => ports.homeOf(Buffer.from(key).toString(), count),
      replays: new ModelReplays(written, bounds),
      look: () => {
        if (!this.#isLooking) ports.lookSoon();
        this.#isLooking = true;
      },
      streams: new Streams([stream]),
      refused: () => undefined,
    });
    const log = () => undefined;
    this.#forwarder = new Forwarder({
      ...{ history, partitions, watchList: this.watchList, log },
      progress: new Progress({ partitions, log, now }),
      readinessChanged: () => ports.readinessChanged(),
    });
    this.describe();
  }

  get ready(): boolean {
    return this.partitions.ready;
  }

  /** Looks at the topic's partitions, which may be others than before. */
  describe(): void {
    const { log, stream, slice } = this.#ports;
    // It would be told what it knows.
    if (this.#described === log.changes) return;
    this.#described = log.changes;
    const infos = log.epochs.map((epoch, partition) => infoOf(log, epoch, partition));
    const own = infos.filter(({ partition }) => hasPartition(slice, partition));
    this.#forwarder.described(stream.topic, own, stream.start, new Map(), infos.length);
  }

  /** Reads the oldest record that it hasn't read, of all its partitions or of one; returns whether there was any. */
  readOne(only?: string): boolean {
    const { log, slice, stream } = this.#ports;
    if (this.partitions.count(stream.topic) !== log.epochs.length) this.describe();
    let oldest: { readonly partition: number; readonly written: Written } | undefined;
    for (const [partition, epoch] of log.epochs.entries()) {
      if (!hasPartition(slice, partition) || (only !== undefined && epoch !== only)) continue;
      const written = this.#nextOf(partition, epoch);
      if (written !== undefined && (oldest === undefined || written.at < oldest.written.at))
        oldest = { partition, written };
    }
    if (oldest === undefined) return false;
    this.#read(oldest.partition, oldest.written);
    return true;
  }

  /** Looks at the topic for those who wait for that. */
  look(): void {
    this.#isLooking = false;
    const looked = this.#forwarder.looks(this.#ports.stream.topic);
    this.describe();
    looked([]);
  }

  /** Time has passed. */
  tick(): void {
    this.#ports.index.age(this.#ports.now());
    // It looks at the topic every few seconds: what the log has deleted is served no longer.
    this.describe();
    this.watchList.passTime();
  }

  /** What is read next of a partition. Reading begins anew where the log no longer holds that. */
  #nextOf(partition: number, epoch: string): Written | undefined {
    const { log, stream } = this.#ports;
    const { topic } = stream;
    const behind = this.partitions.find(topic, epoch);
    if (behind !== undefined && behind.next < log.startOf(epoch))
      this.#forwarder.rejoin(topic, infoOf(log, epoch, partition));
    const state = this.partitions.find(topic, epoch);
    if (state === undefined) return undefined;
    const written = log.next(epoch, state.next);
    // The log says that there is nothing more.
    if (written === undefined && !isReady(state))
      this.#forwarder.batch(topic, partition, epoch, {
        ...{ records: [], nextOffset: state.next, endOffset: log.endOf(epoch) },
      });
    return written;
  }

  #read(partition: number, { path, epoch, offset, timestamp, value }: Written): void {
    const { log, stream, index, now } = this.#ports;
    const { topic } = stream;
    const endOffset = log.endOf(epoch);
    const next = this.partitions.find(topic, epoch)?.next ?? 0;
    const record = { offset, timestamp, key: keyOf(path), value, headers: [] };
    const batch = { records: [record], nextOffset: offset + 1, endOffset };
    // What lay before it was compacted away.
    const removed = offset > next ? { wholeFrom: offset } : {};
    try {
      this.#forwarder.batch(topic, partition, epoch, { ...batch, ...removed });
    } catch (error) {
      if (!(error instanceof IndexError && error.code === "removed")) throw error;
      this.#forwarder.rejoin(topic, infoOf(log, epoch, partition), "removed");
    }
    index.age(now());
  }
}

function infoOf(log: WrittenLog, epoch: string, partition: number): PartitionInfo {
  return { partition, epoch, startOffset: log.startOf(epoch), endOffset: log.endOf(epoch) };
}

function keyOf(path: string): Uint8Array {
  const parsed = parseAddress(path);
  if (!parsed.ok) throw new Error(`${path} is no address`);
  return parsed.address.key;
}

const NO_SOURCE: Source = {
  topics: async () => [],
  describe: async () => undefined,
  offsetAt: async () => undefined,
  read: async () => {
    throw new SourceError("unavailable", "it is read by the model");
  },
  close: async () => undefined,
};

/** Reads the log again at once. */
class ModelReplays extends Replays {
  readonly #log: WrittenLog;
  readonly #bounds: AnswerBounds;

  constructor(log: WrittenLog, bounds: AnswerBounds) {
    super({ source: NO_SOURCE, random: () => 0, bounds });
    this.#log = log;
    this.#bounds = bounds;
  }

  override async read(_topic: string, key: Uint8Array, gaps: readonly Gap[]) {
    const replayed = gaps.map((gap) => this.#replay(Buffer.from(key).toString(), gap));
    return replayed.every((one) => one !== undefined) ? replayed : undefined;
  }

  /** undefined if the log doesn't hold all of it (any more). */
  #replay(key: string, gap: Gap): Replayed | undefined {
    const { epoch, after, until } = gap;
    const records: IndexedRecord[] = [];
    for (let offset = after + 1; offset < until; offset++) {
      const written = this.#log.next(epoch, offset);
      if (written?.offset !== offset) return undefined;
      if (!written.path.endsWith(`/${key}`)) continue;
      if (records.length >= this.#bounds.updates) return { gap, records, whole: false };
      const { path, timestamp, value } = written;
      const previous = records.at(-1)?.offset;
      const known = { epoch, offset, previous, arrival: 0, timestamp };
      records.push({ ...known, key: keyOf(path), ...travelling({ value, headers: [] }) });
    }
    return { gap, records, whole: true };
  }
}
