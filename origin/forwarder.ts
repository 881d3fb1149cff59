/**
 * Where what the consumer reads goes: into the index and to those who watch, in one synchronous step (U6).
 */
import type { Start } from "../shared/protocol/streams.ts";
import type { Log } from "./log.ts";
import type { Beginning, Partitions } from "./partitions.ts";
import type { Progress } from "./progress.ts";
import type { Batch, PartitionInfo } from "./source.ts";
import type { WritableHistory } from "./watch/history.ts";
import type { WatchList } from "./watch/watch-list.ts";

export interface ForwarderPorts {
  readonly history: WritableHistory;
  readonly partitions: Partitions;
  readonly watchList: WatchList;
  readonly progress: Progress;
  readonly log: Log;
  /** Whether all partitions are ready may have changed. */
  readonly readinessChanged: () => void;
}

const NO_KEY = new Uint8Array(0);

export class Forwarder {
  readonly #ports: ForwarderPorts;

  constructor(ports: ForwarderPorts) {
    this.#ports = ports;
  }

  /**
   * Takes the topic as it was just described; undefined where it doesn't exist. Partitions that are new begin
   * where the index ends. Where it knows nothing of the topic they begin at `start`, and where it knows nothing of
   * the partition only, at its beginning: they came since.
   * @param at Where that is, by epoch, if `start` is a time; a partition that is left out begins at its end.
   */
  described(
    topic: string,
    infos: readonly PartitionInfo[] | undefined,
    start: Start,
    at: ReadonlyMap<string, number> = new Map(),
  ): void {
    const { history, partitions, watchList, progress, log } = this.#ports;
    const before = partitions.of(topic);
    const behind = partitions.behind(topic);
    const policy = this.knows(topic) ? "earliest" : start;
    let from: Start | "index" = "index";
    const beginnings = (infos ?? []).map((info): Beginning => {
      const { partition, epoch } = info;
      const end = info.endOffset;
      const known = partitions.find(topic, epoch);
      if (known !== undefined) return { partition, epoch, next: known.next, end };
      const { from: next, anew } = history.begin(topic, info, beginningOf(info, policy, at));
      if (anew === "new") from = policy;
      if (anew === "hole" || anew === "truncated")
        log("partition_hole", { topic, partition, why: anew, next });
      return { partition, epoch, next, end };
    });
    if (!partitions.describe(topic, beginnings)) return;
    // A topic that can't be found just now may be the same one when it can.
    if (infos !== undefined) history.retain(topic, new Set(infos.map(({ epoch }) => epoch)));
    if (infos === undefined) {
      progress.forget(topic);
      log("topic_absent", { topic });
    } else {
      const records = partitions.behind(topic);
      log("topic_found", { topic, partitions: infos.length, from, records });
      progress.begins(topic, Math.max(0, records - behind));
    }
    if (before?.some(({ epoch }) => partitions.find(topic, epoch) === undefined))
      log("topic_replaced", { topic });
    watchList.described(topic);
    // What a partition held that came while this origin was watching, and dropped before it was found, is lost.
    for (const state of before === undefined ? [] : (partitions.of(topic) ?? []))
      if (state.next > 0 && !before?.some(({ epoch }) => epoch === state.epoch)) watchList.lost(state);
    this.#ports.readinessChanged();
  }

  /** Whether the index holds anything of the topic. */
  knows(topic: string): boolean {
    return this.#ports.history.views(topic, NO_KEY).length > 0;
  }

  /** All topics of which it does. */
  known(): ReadonlySet<string> {
    return this.#ports.history.topics();
  }

  /** All topics were listed: those that match a pattern are found, or left out. */
  listed(fresh: readonly string[], leftOut: readonly string[]): void {
    const { partitions, watchList } = this.#ports;
    partitions.listed(fresh, leftOut);
    watchList.listed();
    this.#ports.readinessChanged();
  }

  /** A topic that matched a pattern has gone for good. */
  gone(topic: string): void {
    const { history, partitions, progress, log } = this.#ports;
    history.retain(topic, new Set());
    partitions.forget(topic);
    progress.forget(topic);
    log("topic_gone", { topic });
  }

  /** Begins a partition anew that can't be read on where reading ended. It must not be being read. */
  rejoin(topic: string, info: PartitionInfo): void {
    const { history, partitions, watchList, log } = this.#ports;
    const { partition, epoch } = info;
    const { from, anew } = history.begin(topic, info, info.startOffset);
    if (anew === undefined) return;
    log("partition_hole", { topic, partition, why: anew, next: from });
    const behind = partitions.behind(topic);
    partitions.restart(topic, epoch, from, info.endOffset);
    this.#ports.progress.begins(topic, Math.max(0, partitions.behind(topic) - behind));
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
    this.#ports.progress.check(topic);
    this.#ports.readinessChanged();
  }
}

function beginningOf(info: PartitionInfo, start: Start, at: ReadonlyMap<string, number>): number {
  if (start === "earliest") return info.startOffset;
  if (start === "latest") return info.endOffset;
  const offset = at.get(info.epoch) ?? info.endOffset;
  return Math.min(info.endOffset, Math.max(info.startOffset, offset));
}
