/** A source over logs in memory that fails, hangs and changes as a test tells it. */
import {
  type Batch,
  type DescribedPartition,
  type PartitionTime,
  type ReadRequest,
  type Source,
  SourceError,
  type SourceErrorCode,
} from "../../origin/source/source.ts";
import { LogModel } from "./log-model.ts";
import { NOW } from "./small-origin.ts";

export class ScriptedSource implements Source {
  readonly logs = new Map<string, LogModel>();
  /** What the next reads of a partition fail with, one after the other, by `topic/partition`. */
  readonly failures = new Map<string, SourceErrorCode[]>();
  /** Partitions whose reads hang. */
  readonly stuck = new Set<string>();
  /** Partitions that can't be asked for their offsets, and why. */
  readonly unavailable = new Map<string, string>();
  /** How much of partitions is held back by a transaction, by `topic/partition`. */
  readonly heldBack = new Map<string, number>();
  describeFailures = 0;
  listFailures = 0;
  listings = 0;
  /** `topic/partition@from`, in order. */
  readonly reads: string[] = [];
  /** `topic/partition@timestamp`, in order. */
  readonly timesAsked: string[] = [];
  described = 0;
  batchRecords = 2;
  #changed = Promise.withResolvers<void>();

  topic(name: string, partitions: number): LogModel {
    const log = new LogModel(partitions, NOW);
    this.logs.set(name, log);
    this.changed();
    return log;
  }

  /** To be called after the logs were changed. */
  changed(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async topics(): Promise<readonly string[]> {
    this.listings++;
    if (this.listFailures-- > 0) throw new SourceError("unavailable", "scripted");
    return [...this.logs.keys()];
  }

  async offsetAt({ topic, partition, timestamp }: PartitionTime): Promise<number | undefined> {
    this.timesAsked.push(`${topic}/${partition}@${timestamp}`);
    return this.logs.get(topic)?.offsetAt(partition, timestamp);
  }

  async describe(topic: string): Promise<readonly DescribedPartition[] | undefined> {
    this.described++;
    if (this.describeFailures-- > 0) throw new SourceError("unavailable", "scripted");
    return this.logs
      .get(topic)
      ?.describe()
      .map((info) => {
        const { partition, epoch } = info;
        const unavailable = this.unavailable.get(`${topic}/${partition}`);
        return unavailable === undefined ? info : { partition, epoch, unavailable };
      });
  }

  async read(request: ReadRequest, onBatch: (batch: Batch) => void | Promise<void>): Promise<void> {
    const { topic, partition, signal } = request;
    const name = `${topic}/${partition}`;
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    this.reads.push(`${name}@${request.from}`);
    let held = 0;
    for (let from = request.from, first = true; !signal.aborted; first = false) {
      const failure = this.failures.get(name)?.shift();
      if (failure !== undefined) throw new SourceError(failure, "scripted");
      const batch = this.#batch(request, from);
      const { heldBack = 0 } = batch;
      if (!this.stuck.has(name) && (first || batch.nextOffset > from || heldBack !== held)) {
        held = heldBack;
        await onBatch(batch);
        from = batch.nextOffset;
      } else await Promise.race([this.#changed.promise, aborted]);
    }
  }

  async close(): Promise<void> {}

  #batch({ topic, partition, epoch }: ReadRequest, from: number): Batch {
    const log = this.logs.get(topic);
    const info = log?.describe()[partition];
    if (log === undefined || info === undefined) throw new SourceError("unknown_topic", "scripted");
    if (info.epoch !== epoch) throw new SourceError("epoch_changed", "scripted");
    if (from < info.startOffset || from > info.endOffset)
      throw new SourceError("offset_out_of_range", "scripted");
    const heldBack = this.heldBack.get(`${topic}/${partition}`);
    return { ...log.read(partition, from, this.batchRecords), ...(heldBack !== undefined && { heldBack }) };
  }
}
