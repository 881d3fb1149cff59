/**
 * Where what the consumer reads goes: into the index and to those who watch, in one synchronous step (U6).
 */
import type { Start } from "../../shared/config/streams.ts";
import type { Log } from "../operate/log.ts";
import {
  type Batch,
  type DescribedPartition,
  isAvailable,
  isTorn,
  type PartitionInfo,
} from "../source/source.ts";
import type { WritableHistory } from "../watch/history.ts";
import type { WatchList } from "../watch/watch-list.ts";
import { type Beginning, isReadAgain, isReady, type Partitions } from "./partitions.ts";
import type { Progress } from "./progress.ts";

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
  /** Epochs of partitions whose offsets aren't known yet, and where these begin if the index doesn't know them. */
  readonly #awaited = new Map<string, Start>();

  constructor(ports: ForwarderPorts) {
    this.#ports = ports;
  }

  /**
   * Takes the topic as it was just described; undefined if it doesn't exist. Partitions that are new begin
   * where the index ends. If it knows nothing of the topic they begin at `start`. If it knows the topic, but not
   * the partition, they begin at its beginning: they came since. One whose offsets aren't known yet begins, once they are,
   * where it would have when it was first seen.
   * @param at Where that is, by epoch, if `start` is a time; a partition that is left out begins at its end.
   * @param count How many partitions the topic has, those of other slices included.
   */
  described(
    topic: string,
    infos: readonly DescribedPartition[] | undefined,
    start: Start,
    at: ReadonlyMap<string, number> = new Map(),
    count = infos?.length ?? 0,
  ): void {
    const { history, partitions, watchList, progress, log } = this.#ports;
    const before = partitions.of(topic);
    const unread = partitions.unread(topic);
    const policy = this.#policy(topic, start);
    const torn = new Set<string>();
    let from: Start | "index" = "index";
    const beginnings = (infos ?? []).map((info): Beginning => {
      const { partition, epoch } = info;
      const known = partitions.find(topic, epoch);
      if (!isAvailable(info)) {
        if (known === undefined) this.#awaited.set(epoch, policy);
        return info;
      }
      const end = info.endOffset;
      const awaited = this.#awaited.get(epoch);
      if (known !== undefined && awaited === undefined) {
        if (history.forget(topic, info)) watchList.deleted(topic, epoch, info.startOffset);
        return { partition, epoch, next: known.next, end };
      }
      const begins = awaited ?? policy;
      const { from: next, anew } = history.begin(topic, info, offsetOf(info, begins, at));
      this.#awaited.delete(epoch);
      if (anew === "new") from = begins;
      if (anew === "hole" || anew === "truncated") {
        log("partition_hole", { topic, partition, why: anew, next });
        torn.add(epoch);
      }
      return { partition, epoch, next, end };
    });
    if (!partitions.describe(topic, beginnings, count)) return;
    // A topic that can't be found just now may be the same one when it can.
    if (infos !== undefined) history.retain(topic, new Set(infos.map(({ epoch }) => epoch)));
    if (infos === undefined) {
      progress.forget(topic);
      log("topic_absent", { topic });
    } else {
      const records = partitions.unread(topic);
      const of = count === infos.length ? undefined : count;
      log("topic_found", { topic, partitions: infos.length, of, from, records });
      progress.begins(topic, Math.max(0, records - unread));
    }
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

  /** The topic is about to be described; what is returned is to be called when it was, with what couldn't be seen of it. */
  looks(topic: string): (unseen: readonly string[]) => void {
    return this.#ports.watchList.looks(topic);
  }

  /** Where a partition begins that is described for the first time, or whose offsets weren't known; else undefined. */
  beginningOf(topic: string, epoch: string, start: Start): Start | undefined {
    const awaited = this.#awaited.get(epoch);
    if (awaited !== undefined || this.#ports.partitions.find(topic, epoch) !== undefined) return awaited;
    return this.#policy(topic, start);
  }

  #policy(topic: string, start: Start): Start {
    const { history } = this.#ports;
    // What another slice read until now didn't come since.
    return history.views(topic, NO_KEY).length > 0 && !history.isResharded ? "earliest" : start;
  }

  /** All topics of which the index holds anything. */
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

  /** Whether all topics could be listed: if not, why. */
  listing(error: string | undefined): void {
    this.#ports.partitions.listing(error);
  }

  /** A topic that matched a pattern has gone for good. */
  gone(topic: string): void {
    const { history, partitions, progress, log } = this.#ports;
    history.retain(topic, new Set());
    partitions.forget(topic);
    progress.forget(topic);
    log("topic_gone", { topic });
  }

  /**
   * Begins a partition anew that can't be read on where reading ended. It must not be being read. If it was
   * truncated, what the log holds now at offsets that were read before may be something else. If what comes next
   * was removed in part, all is read again, and live links are told once that is done, with what is true then.
   */
  rejoin(topic: string, info: PartitionInfo, why: "hole" | "truncated" | "removed" = "hole"): void {
    const { history, partitions, watchList, log } = this.#ports;
    const { partition, epoch } = info;
    const before = partitions.find(topic, epoch);
    const next = before?.next ?? 0;
    const common = why === "truncated" ? Math.min(info.endOffset, next - 1) : info.endOffset;
    const described = { ...info, endOffset: common };
    const { from, anew } = history.begin(topic, described, info.startOffset, why === "removed");
    if (anew === undefined) return;
    log("partition_hole", { topic, partition, why: anew, next: from });
    const unread = partitions.unread(topic);
    const again = anew === "removed" || (before !== undefined && isReadAgain(before));
    partitions.restart(topic, epoch, from, info.endOffset, again);
    this.#ports.progress.begins(topic, Math.max(0, partitions.unread(topic) - unread));
    const state = partitions.find(topic, epoch);
    if (state !== undefined) watchList.lost(state);
    this.#ports.readinessChanged();
  }

  batch(topic: string, partition: number, epoch: string, batch: Batch): void {
    const { history, partitions, watchList, log } = this.#ports;
    const taken = history.append(topic, partition, epoch, batch);
    const state = partitions.find(topic, epoch);
    const next = state?.next ?? 0;
    const wasReady = state !== undefined && isReady(state);
    const becameReady = partitions.advance(topic, epoch, batch);
    // Before its records: they are no continuation.
    if (state !== undefined && isTorn(batch, next)) watchList.removed(state, batch.wholeFrom);
    if (wasReady && state !== undefined && !isReady(state)) this.#ports.readinessChanged();
    watchList.records(topic, taken);
    if (state !== undefined) watchList.progressed(state);
    if (!becameReady) return;
    log("partition_ready", { topic, partition, offset: batch.nextOffset });
    if (state !== undefined) watchList.becameReady(state);
    this.#ports.progress.check(topic);
    this.#ports.readinessChanged();
  }
}

function offsetOf(info: PartitionInfo, start: Start, at: ReadonlyMap<string, number>): number {
  if (start === "earliest") return info.startOffset;
  if (start === "latest") return info.endOffset;
  const offset = at.get(info.epoch) ?? info.endOffset;
  return Math.min(info.endOffset, Math.max(info.startOffset, offset));
}
