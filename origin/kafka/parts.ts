/** Collects records into parts: small enough to be handled at once, large enough to be worth it. */
import type { SourceRecord } from "../source/source.ts";

/** Bounds of one part; a single larger record makes a part of its own. */
const PART_RECORDS = 1_000;
export const PART_BYTES = 1024 * 1024;

/** As in Batch. */
export interface Part {
  readonly records: readonly SourceRecord[];
  readonly nextOffset: number;
  readonly wholeFrom?: number;
}

export class Parts {
  #records: SourceRecord[] = [];
  #bytes = 0;
  #nextOffset: number;
  #wholeFrom: number | undefined;
  #given: number;

  /** @param from Where reading begins: records before it are passed over. */
  constructor(from: number) {
    this.#nextOffset = from;
    this.#given = from;
  }

  /** Adds one record after another until a part is full, and is to be taken; or, and then returns false, until there are no more. */
  fill(next: () => SourceRecord | undefined): boolean {
    for (let record = next(); record !== undefined; record = next()) {
      if (record.offset < this.#nextOffset) continue;
      if (record.offset > this.#nextOffset) this.#wholeFrom = record.offset;
      this.#records.push(record);
      this.#bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      this.#nextOffset = record.offset + 1;
      if (this.#records.length >= PART_RECORDS || this.#bytes >= PART_BYTES) return true;
    }
    return false;
  }

  /** A batch is over: what it held behind its last record is gone. */
  end(lastOffset: number): void {
    this.#pass(lastOffset, lastOffset + 1);
  }

  /** Passes over a batch that doesn't count. If it follows what came before, nothing is missing. */
  drop(firstOffset: number, lastOffset: number): void {
    this.#pass(lastOffset, firstOffset > this.#nextOffset ? firstOffset : this.#wholeFrom);
  }

  #pass(lastOffset: number, wholeFrom: number | undefined): void {
    if (lastOffset < this.#nextOffset) return;
    this.#wholeFrom = wholeFrom;
    this.#nextOffset = lastOffset + 1;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get isEmpty(): boolean {
    return this.#nextOffset === this.#given;
  }

  take(): Part {
    const wholeFrom = this.#wholeFrom;
    const part = { records: this.#records, nextOffset: this.#nextOffset };
    this.#wholeFrom = undefined;
    this.#records = [];
    this.#bytes = 0;
    this.#given = this.#nextOffset;
    return wholeFrom === undefined ? part : { ...part, wholeFrom };
  }
}
