/**
 * What an index must answer, the simple way: everything that was ever appended, in a list. What it may have
 * dropped is told to the model; whether it was right to drop it is for other tests.
 */
import type { PageLimits } from "../../origin/index/history.ts";
import type { Batch, SourceRecord } from "../../origin/source/source.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";

export interface ModelRecord {
  readonly epoch: string;
  readonly offset: number;
  readonly key: string;
  readonly source: SourceRecord;
}

interface ModelPartition {
  readonly topic: string;
  readonly epoch: string;
  horizon: number;
  checkpoint: number;
}

export class IndexModel {
  readonly partitions = new Map<string, ModelPartition>();
  /** Of all topics, in order of arrival. */
  #records: ModelRecord[] = [];
  readonly #keepsLatest: (topic: string) => boolean;

  constructor(keepsLatest: (topic: string) => boolean) {
    this.#keepsLatest = keepsLatest;
  }

  begin(topic: string, number: number, epoch: string, start: number): void {
    const before = this.partitions.get(`${topic}/${number}`);
    this.#records = this.#records.filter((record) => record.epoch !== before?.epoch);
    this.partitions.set(`${topic}/${number}`, { topic, epoch, horizon: start, checkpoint: start });
  }

  /** The records that are new. */
  append(topic: string, number: number, batch: Batch): ModelRecord[] {
    const partition = this.partitions.get(`${topic}/${number}`);
    if (partition === undefined) return [];
    const taken: ModelRecord[] = [];
    for (const source of batch.records) {
      if (source.offset < partition.checkpoint || source.key === null) continue;
      if (source.key.length > LIMITS.keyBytes) continue;
      const key = Buffer.from(source.key).toString("hex");
      taken.push({ epoch: partition.epoch, offset: source.offset, key, source });
    }
    this.#records.push(...taken);
    partition.checkpoint = Math.max(partition.checkpoint, batch.nextOffset);
    return taken;
  }

  /** A crash took everything from here on. */
  forget(topic: string, number: number, checkpoint: number): void {
    const partition = this.partitions.get(`${topic}/${number}`);
    if (partition === undefined) return;
    this.#records = this.#records.filter(
      ({ epoch, offset }) => epoch !== partition.epoch || offset < checkpoint,
    );
    partition.checkpoint = checkpoint;
  }

  /** The record before one on its endpoint in its partition, dropped or not. */
  previous({ epoch, key, offset }: Pick<ModelRecord, "epoch" | "key" | "offset">): number | undefined {
    return this.#records.findLast(
      (record) => record.epoch === epoch && record.key === key && record.offset < offset,
    )?.offset;
  }

  /** The offset of the key's last record that is held, by epoch. */
  tails(topic: string, key: string): Map<string, number> {
    return new Map(this.held(topic, key).map(({ epoch, offset }) => [epoch, offset]));
  }

  /** What is held of a key, in order of arrival. */
  held(topic: string, key: string): ModelRecord[] {
    const partitions = [...this.partitions.values()].filter((partition) => partition.topic === topic);
    return this.#records.filter(({ epoch, key: other, offset }) => {
      const partition = partitions.find((candidate) => candidate.epoch === epoch);
      if (partition === undefined || other !== key) return false;
      if (offset >= partition.horizon) return true;
      const isLast = !this.#records.some(
        (later) => later.epoch === epoch && later.key === key && later.offset > offset,
      );
      return isLast && this.#keepsLatest(topic);
    });
  }

  after(topic: string, key: string, from: ReadonlyMap<string, number>, limits: PageLimits) {
    const after = this.held(topic, key).filter(({ epoch, offset }) => offset > (from.get(epoch) ?? -1));
    const records = fitting(after, limits);
    return { records, more: records.length < after.length };
  }

  recent(topic: string, key: string, limits: PageLimits, oldest: number): ModelRecord[] {
    const held = this.held(topic, key).reverse();
    const old = held.findIndex(({ source }, at) => at > 0 && (source.timestamp ?? oldest) < oldest);
    return fitting(old < 0 ? held : held.slice(0, old), limits).reverse();
  }
}

/** As many as the limits allow, and at least one. */
function fitting(records: readonly ModelRecord[], limits: PageLimits): ModelRecord[] {
  let bytes = 0;
  const end = records.findIndex(({ source }, at) => {
    bytes += (source.key?.length ?? 0) + (source.value?.length ?? 0);
    return at > 0 && (at >= limits.maxRecords || bytes > limits.maxBytes);
  });
  return records.slice(0, end < 0 ? undefined : end);
}
