/** The middle of an origin, from batches to what leaves for shards, over a history in memory. */

import { Forwarder } from "../../origin/reading/forwarder.ts";
import { Partitions } from "../../origin/reading/partitions.ts";
import { Progress } from "../../origin/reading/progress.ts";
import type { PartitionInfo, SourceRecord } from "../../origin/source/source.ts";
import { ANSWER_BOUNDS } from "../../origin/watch/answer-bounds.ts";
import { Replays } from "../../origin/watch/replays.ts";
import { WatchList } from "../../origin/watch/watch-list.ts";
import { type Stream, Streams } from "../../shared/config/streams.ts";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { WHOLE } from "../../shared/protocol/slice.ts";
import { MemoryHistory } from "./memory-history.ts";
import { RecordedLog } from "./recorded-log.ts";
import { ScriptedSource } from "./scripted-source.ts";

export const STREAM: Stream = {
  topic: "t",
  title: "t",
  subscribe: "public",
  publish: "nobody",
  discover: "public",
  occupancy: "subscribers",
  windowUpdates: 3,
  windowMs: 3_600_000,
  start: "earliest",
  compacted: false,
  replay: 0,
  maxAgeSeconds: 1,
};

/** The time at which everything happens, unless a test lets time pass. */
export const NOW = 1_763_690_000_000;

export function record(offset: number, key: string, value: string | Uint8Array | null): SourceRecord {
  const bytes = typeof value === "string" ? Buffer.from(value) : value;
  return { offset, timestamp: NOW, key: Buffer.from(key), value: bytes, headers: [] };
}

/** The frame of such a record of `/t/a`, of the epoch `x`. */
export function updateOf(offset: number, previous?: number, value = String(offset)): string {
  const q = previous === undefined ? "" : `,"q":${previous}`;
  return `{"e":"/t/a","p":"x:${offset}"${q},"t":${NOW},"v":${value}}`;
}

export class SmallOrigin {
  now = NOW;
  readonly history: MemoryHistory;
  readonly partitions: Partitions;
  readonly recorded = new RecordedLog();
  readonly refused: string[] = [];
  /** Where the log is read again. */
  readonly source = new ScriptedSource();
  /** Topics that are to be looked at. */
  readonly looks: string[] = [];
  onLook: (topic: string) => void = () => undefined;
  readonly watchList: WatchList;
  readonly forwarder: Forwarder;

  /** With the topic `t`, and nothing that was read before, unless told otherwise. */
  constructor(list: readonly Stream[] = [STREAM], history = new MemoryHistory(), slice = WHOLE) {
    const streams = new Streams(list);
    this.history = history;
    this.partitions = new Partitions(
      streams.named.map(({ topic }) => topic),
      !streams.hasPatterns,
    );
    this.watchList = new WatchList({
      history: this.history,
      partitions: this.partitions,
      slice,
      homeOf: partitionOf,
      now: () => this.now,
      bounds: ANSWER_BOUNDS,
      replays: new Replays({ source: this.source, random: () => 0, bounds: ANSWER_BOUNDS }),
      look: (topic) => {
        this.looks.push(topic);
        this.onLook(topic);
      },
      streams,
      refused: (path) => this.refused.push(path),
    });
    this.forwarder = new Forwarder({
      history: this.history,
      partitions: this.partitions,
      watchList: this.watchList,
      progress: new Progress({ partitions: this.partitions, log: this.recorded.log, now: () => NOW }),
      log: this.recorded.log,
      readinessChanged: () => undefined,
    });
  }

  /** The topic exists with partitions that hold the offsets from `start` to before `end`. */
  describe(...partitions: readonly { epoch: string; start?: number; end?: number }[]): void {
    this.forwarder.described("t", infosOf(partitions), "earliest");
  }

  /** Looks at the topic, which is as it is described meanwhile. @param unseen What couldn't be had of it. */
  look(meanwhile: () => void = () => undefined, unseen: readonly string[] = []): void {
    const looked = this.forwarder.looks("t");
    meanwhile();
    looked(unseen);
  }

  /** Time passes, and is noticed. */
  pass(ms: number): void {
    this.now += ms;
    this.watchList.passTime();
  }

  /** Reads records; the partition holds no more. */
  read(partition: number, epoch: string, ...records: readonly SourceRecord[]): void {
    const next = this.partitions.find("t", epoch)?.next ?? 0;
    const nextOffset = Math.max(next, (records.at(-1)?.offset ?? -1) + 1);
    this.forwarder.batch("t", partition, epoch, { records, nextOffset, endOffset: nextOffset });
  }
}

export function infosOf(
  partitions: readonly { epoch: string; start?: number; end?: number }[],
): PartitionInfo[] {
  return partitions.map(({ epoch, start = 0, end = 0 }, partition) => ({
    partition,
    epoch,
    startOffset: start,
    endOffset: end,
  }));
}
