/**
 * Where what the consumer reads goes: into the index and to those who watch, in one synchronous step (U6).
 */
import type { Stream } from "../shared/protocol/streams.ts";
import type { Log } from "./log.ts";
import type { Beginning, Partitions } from "./partitions.ts";
import { type Batch, type DescribedPartition, isAvailable, type PartitionInfo } from "./source.ts";
import type { WritableHistory } from "./watch/history.ts";
import type { WatchList } from "./watch/watch-list.ts";

export interface ForwarderPorts {
  readonly history: WritableHistory;
  readonly partitions: Partitions;
  readonly watchList: WatchList;
  readonly log: Log;
  /** Whether all partitions are ready may have changed. */
  readonly readinessChanged: () => void;
}

export class Forwarder {
  readonly #ports: ForwarderPorts;
  /** Epochs of partitions whose offsets aren't known yet, and where these begin where the index doesn't know them. */
  readonly #awaited = new Map<string, Stream["start"]>();

  constructor(ports: ForwarderPorts) {
    this.#ports = ports;
  }

  /**
   * Takes the topic as it was just described; undefined where it doesn't exist. Partitions that are new begin
   * where the index ends or, where it knows nothing of them, at `start`: once their offsets are known, at what
   * was `start` when they were first seen.
   */
  described(topic: string, infos: readonly DescribedPartition[] | undefined, start: Stream["start"]): void {
    const { history, partitions, watchList, log } = this.#ports;
    const before = partitions.of(topic);
    const torn = new Set<string>();
    const beginnings = (infos ?? []).map((info): Beginning => {
      const { partition, epoch } = info;
      const known = partitions.find(topic, epoch);
      if (!isAvailable(info)) {
        if (known === undefined) this.#awaited.set(epoch, start);
        return info;
      }
      const end = info.endOffset;
      const awaited = this.#awaited.get(epoch);
      if (known !== undefined && awaited === undefined) return { partition, epoch, next: known.next, end };
      const begins = (awaited ?? start) === "latest" ? end : info.startOffset;
      const { from, anew } = history.begin(topic, info, begins);
      this.#awaited.delete(epoch);
      if (anew === "hole" || anew === "truncated") {
        log("partition_hole", { topic, partition, why: anew, next: from });
        torn.add(epoch);
      }
      return { partition, epoch, next: from, end };
    });
    if (!partitions.describe(topic, beginnings)) return;
    // A topic that can't be found just now may be the same one when it can.
    if (infos !== undefined) history.retain(topic, new Set(infos.map(({ epoch }) => epoch)));
    if (infos === undefined) log("topic_absent", { topic });
    else log("topic_found", { topic, partitions: infos.length });
    if (before?.some(({ epoch }) => partitions.find(topic, epoch) === undefined))
      log("topic_replaced", { topic });
    watchList.described(topic);
    // What a partition held that came while this origin was watching, and dropped before it was found, is lost.
    for (const state of before === undefined ? [] : (partitions.of(topic) ?? [])) {
      const isNew = !before?.some(({ epoch }) => epoch === state.epoch);
      if (isNew ? state.next > 0 : torn.has(state.epoch)) watchList.lost(state);
    }
    for (const { epoch } of before ?? [])
      if (partitions.find(topic, epoch) === undefined) this.#awaited.delete(epoch);
    this.#ports.readinessChanged();
  }

  /**
   * Begins a partition anew that can't be read on where reading ended. It must not be being read. Where it was
   * truncated, what the log holds now at offsets that were read before may be something else.
   */
  rejoin(topic: string, info: PartitionInfo, truncated = false): void {
    const { history, partitions, watchList, log } = this.#ports;
    const { partition, epoch } = info;
    const { next } = partitions.find(topic, epoch) ?? { next: 0 };
    const common = truncated ? Math.min(info.endOffset, next - 1) : info.endOffset;
    const { from, anew } = history.begin(topic, { ...info, endOffset: common }, info.startOffset);
    if (anew === undefined) return;
    log("partition_hole", { topic, partition, why: anew, next: from });
    partitions.restart(topic, epoch, from, info.endOffset);
    const state = partitions.find(topic, epoch);
    if (state !== undefined) watchList.lost(state);
    this.#ports.readinessChanged();
  }

  batch(topic: string, partition: number, epoch: string, batch: Batch): void {
    const { history, partitions, watchList, log } = this.#ports;
    const taken = history.append(topic, partition, epoch, batch);
    const becameReady = partitions.advance(topic, epoch, batch);
    watchList.records(topic, taken);
    const state = partitions.find(topic, epoch);
    if (state !== undefined) watchList.progressed(state);
    if (!becameReady) return;
    log("partition_ready", { topic, partition, offset: batch.nextOffset });
    this.#ports.readinessChanged();
  }
}
