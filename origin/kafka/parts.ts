/** Gathers records to parts: small enough to be handled at once, large enough to be worth it. */
import type { SourceRecord } from "../source.ts";

/** Bounds of one part; a single larger record makes a part of its own. */
const PART_RECORDS = 1_000;
export const PART_BYTES = 1024 * 1024;

export interface Part {
  readonly records: readonly SourceRecord[];
  readonly nextOffset: number;
}

export class Parts {
  #records: SourceRecord[] = [];
  #bytes = 0;
  #nextOffset: number;
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
      this.#records.push(record);
      this.#bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      this.#nextOffset = record.offset + 1;
      if (this.#records.length >= PART_RECORDS || this.#bytes >= PART_BYTES) return true;
    }
    return false;
  }

  /** Offsets before this one hold nothing more. */
  pass(offset: number): void {
    this.#nextOffset = Math.max(this.#nextOffset, offset);
  }

  get isEmpty(): boolean {
    return this.#nextOffset === this.#given;
  }

  take(): Part {
    const part = { records: this.#records, nextOffset: this.#nextOffset };
    this.#records = [];
    this.#bytes = 0;
    this.#given = this.#nextOffset;
    return part;
  }
}
