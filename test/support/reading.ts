/**
 * A read of a Source as tests see it: what it has delivered, waiting for more of it, and what every read must
 * hold whatever is tested.
 */
import {
  type Batch,
  isAvailable,
  type PartitionInfo,
  type ReadRequest,
  type Source,
  type SourceRecord,
} from "../../origin/source/source.ts";
import { eventually } from "./deadline.ts";

const DEADLINE_MS = 40_000;

/** The partitions of a topic, once all of them can be described: their leaders, just elected, may not know it yet. */
export function partitionsOf(source: Source, topic: string): Promise<readonly PartitionInfo[]> {
  return eventually(async () => {
    const described = (await source.describe(topic)) ?? [];
    const infos = described.filter(isAvailable);
    return infos.length > 0 && infos.length === described.length && infos;
  }, `all of ${topic} can be described`);
}

export type OnBatch = (batch: Batch) => void | Promise<void>;

export class Reading {
  readonly batches: Batch[] = [];
  readonly records: SourceRecord[] = [];
  /** Settles as the read does. */
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  readonly #violations: string[] = [];
  #nextOffset: number;
  #inBatch = false;

  constructor(source: Source, request: Omit<ReadRequest, "signal">, onBatch: OnBatch = () => {}) {
    this.#nextOffset = request.from;
    this.ended = source.read({ ...request, signal: this.#stop.signal }, async (batch) => {
      this.#check(batch);
      this.batches.push(batch);
      this.records.push(...batch.records);
      this.#nextOffset = batch.nextOffset;
      this.#inBatch = true;
      try {
        const handled = onBatch(batch);
        for (const look of this.#waiting) look();
        await handled;
      } finally {
        this.#inBatch = false;
      }
    });
    // Tests look at it when they come to it.
    this.ended.catch(() => {});
  }

  /** Where the read goes on. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  get offsets(): number[] {
    return this.records.map(({ offset }) => offset);
  }

  /** Resolves after a batch that makes `reached` true; rejects when the read ends before. */
  async until(reached: (reading: this) => boolean, what: string): Promise<void> {
    let look = () => {};
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the read did not come to this: ${what}`)), DEADLINE_MS);
    });
    const seen = new Promise<void>((resolve) => {
      look = () => {
        if (reached(this)) resolve();
      };
      this.#waiting.add(look);
      look();
    });
    const early = this.ended.then(() => {
      throw new Error(`the read ended before this: ${what}`);
    });
    try {
      await Promise.race([seen, early, deadline]);
    } finally {
      clearTimeout(timer);
      early.catch(() => {});
      this.#waiting.delete(look);
    }
    this.#assertNoViolations();
  }

  /** Until the read goes on at `offset`; rejects once it has passed over that. */
  async reaches(offset: number): Promise<void> {
    const first = () => this.batches.find(({ nextOffset }) => nextOffset >= offset);
    await this.until(() => first() !== undefined, `offset ${offset}`);
    const at = first()?.nextOffset;
    if (at !== offset) throw new Error(`the read passed over offset ${offset}: it goes on at ${at}`);
  }

  /** Aborts, whether or not the read has ended; what it ended with is passed on. */
  async stop(): Promise<void> {
    this.abort();
    await this.ended;
    this.#assertNoViolations();
  }

  abort(): void {
    this.#stop.abort();
  }

  #check({ records, nextOffset, endOffset }: Batch): void {
    const violate = (problem: string) => this.#violations.push(problem);
    if (this.#inBatch) violate("onBatch was called while it was running");
    if (this.#stop.signal.aborted) violate("onBatch was called after the abort");
    let expected = this.#nextOffset;
    for (const { offset } of records) {
      if (offset < expected) violate(`offset ${offset} came where ${expected} or more was next`);
      expected = offset + 1;
    }
    if (nextOffset < expected) violate(`nextOffset ${nextOffset} is below ${expected}`);
    if (endOffset < nextOffset) violate(`endOffset ${endOffset} is below nextOffset ${nextOffset}`);
  }

  #assertNoViolations(): void {
    if (this.#violations.length > 0) throw new Error(this.#violations.join("; "));
  }
}
