/**
 * Where what the consumer reads goes: into the index and to those who watch, in one synchronous step (U6).
 */
import type { Stream } from "../shared/protocol/streams.ts";
import type { Log } from "./log.ts";
import type { Beginning, Partitions } from "./partitions.ts";
import type { Batch, PartitionInfo } from "./source.ts";
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

  constructor(ports: ForwarderPorts) {
    this.#ports = ports;
  }

  /**
   * Takes the topic as it was just described; undefined where it doesn't exist. Partitions that are new begin
   * where the index ends or, where it knows nothing of them, at `start`.
   */
  described(topic: string, infos: readonly PartitionInfo[] | undefined, start: Stream["start"]): void {
    const { history, partitions, watchList, log } = this.#ports;
    const before = partitions.of(topic);
    const beginnings = (infos ?? []).map((info): Beginning => {
      const { partition, epoch } = info;
      const end = info.endOffset;
      const known = partitions.find(topic, epoch);
      if (known !== undefined) return { partition, epoch, next: known.next, end };
      const { from, anew } = history.begin(topic, info, start === "latest" ? end : info.startOffset);
      if (anew === "hole" || anew === "truncated")
        log("partition_hole", { topic, partition, why: anew, next: from });
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
    for (const state of before === undefined ? [] : (partitions.of(topic) ?? []))
      if (state.next > 0 && !before?.some(({ epoch }) => epoch === state.epoch)) watchList.lost(state);
    this.#ports.readinessChanged();
  }

  /** Begins a partition anew that can't be read on where reading ended. It must not be being read. */
  rejoin(topic: string, info: PartitionInfo): void {
    const { history, partitions, watchList, log } = this.#ports;
    const { partition, epoch } = info;
    const { from, anew } = history.begin(topic, info, info.startOffset);
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
