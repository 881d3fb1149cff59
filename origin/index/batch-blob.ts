/**
 * How records of one partition are packed into one blob, little-endian:
 *
 *   head       u32 CRC-32 of all that follows, u32 count, f64 arrival of the first record
 *   directory  for each record 40 bytes: f64 offset, f64 previous (−1: none), f64 timestamp (NaN: none),
 *              u32 arrival less the first one's, u32 where its bytes start, u32 value bytes,
 *              u16 key bytes, u8 kind of value, u8 kind of headers
 *   bytes      for each record its key, value and headers; u32 how many bytes headers had that were omitted
 *
 * The directory has a fixed width so that following one key through a blob decodes only what it touches.
 * SQLite does not notice a page that was damaged; the sum does.
 */

import { crc32 } from "node:zlib";
import { ownedBytes } from "../../shared/core/owned.ts";
import type { RecordHeader } from "../source/source.ts";
import { IndexError } from "./error.ts";
import { type IndexedRecord, recordBytes, type StoredValue, type Travelling, valueBytes } from "./record.ts";

const HEAD = 16;
const ENTRY = 40;
/** By the number that stands for each. */
const KINDS: readonly Travelling["kind"][] = [undefined, "json", "text", "bytes", "tombstone", "omitted"];
const NO_HEADERS = 0;
const HEADERS = 1;
const HEADERS_OMITTED = 2;
const NO_VALUE = -1;

/** What one record takes in a blob. */
export function packedBytes(record: IndexedRecord): number {
  return ENTRY + recordBytes(record);
}

/** How large `packBatch` makes its blob. */
export function blobBytes(records: readonly IndexedRecord[]): number {
  let bytes = HEAD;
  for (const record of records) bytes += packedBytes(record);
  return bytes;
}

/**
 * Packs records of one partition, in offset order, into the front of `target`, which must have room for
 * `blobBytes(records)`. Returns the part of it that was written.
 */
export function packBatch(records: readonly IndexedRecord[], target: Buffer): Uint8Array {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  const base = records[0]?.arrival ?? 0;
  view.setUint32(4, records.length, true);
  view.setFloat64(8, base, true);
  let entry = HEAD;
  let at = HEAD + ENTRY * records.length;
  for (const record of records) {
    const { key, kind, value, headers, headersOmitted } = record;
    view.setFloat64(entry, record.offset, true);
    view.setFloat64(entry + 8, record.previous ?? -1, true);
    view.setFloat64(entry + 16, record.timestamp ?? Number.NaN, true);
    view.setUint32(entry + 24, record.arrival - base, true);
    view.setUint32(entry + 28, at, true);
    view.setUint32(
      entry + 32,
      value === null || value instanceof Uint8Array ? valueBytes(value) : value.omitted,
      true,
    );
    view.setUint16(entry + 36, key.length, true);
    view.setUint8(entry + 38, KINDS.indexOf(kind));
    view.setUint8(
      entry + 39,
      headersOmitted !== undefined ? HEADERS_OMITTED : headers.length === 0 ? NO_HEADERS : HEADERS,
    );
    entry += ENTRY;

    target.set(key, at);
    at += key.length;
    if (value instanceof Uint8Array) {
      target.set(value, at);
      at += value.length;
    }
    if (headersOmitted !== undefined) {
      view.setUint32(at, headersOmitted, true);
      at += 4;
    } else if (headers.length > 0) at = packHeaders(headers, target, view, at);
  }
  view.setUint32(0, crc32(target.subarray(4, at)), true);
  return target.subarray(0, at);
}

function packHeaders(
  headers: readonly RecordHeader[],
  target: Buffer,
  view: DataView,
  start: number,
): number {
  let at = start;
  view.setUint32(at, headers.length, true);
  at += 4;
  for (const [name, value] of headers) {
    const nameBytes = target.write(name, at + 8);
    view.setUint32(at, nameBytes, true);
    view.setInt32(at + 4, value === null ? NO_VALUE : value.length, true);
    at += 8 + nameBytes;
    if (value !== null) {
      target.set(value, at);
      at += value.length;
    }
  }
  return at;
}

/** A packed batch, read in place. Throws IndexError `corrupt` if the bytes are not what was packed. */
export class BatchBlob {
  readonly count: number;
  readonly bytes: number;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;

  constructor(data: Uint8Array) {
    this.bytes = data.length;
    this.#data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (data.length < HEAD || this.#view.getUint32(0, true) !== crc32(data.subarray(4)))
      throw new IndexError("corrupt", "a batch of the index is damaged");
    this.count = this.#view.getUint32(4, true);
    this.#base = this.#view.getFloat64(8, true);
  }

  get firstOffset(): number {
    return this.offset(0);
  }

  get lastOffset(): number {
    return this.offset(this.count - 1);
  }

  offset(index: number): number {
    return this.#view.getFloat64(HEAD + ENTRY * index, true);
  }

  previous(index: number): number | undefined {
    const offset = this.#view.getFloat64(HEAD + ENTRY * index + 8, true);
    return offset < 0 ? undefined : offset;
  }

  /** The record's index; undefined if this batch has none at this offset. */
  find(offset: number): number | undefined {
    const index = this.firstAt(offset);
    return index < this.count && this.offset(index) === offset ? index : undefined;
  }

  /** Index of the first record at or after an offset; `count` if there is none. */
  firstAt(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offset(middle) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  hasKey(index: number, key: Uint8Array): boolean {
    const entry = HEAD + ENTRY * index;
    if (this.#view.getUint16(entry + 36, true) !== key.length) return false;
    const start = this.#view.getUint32(entry + 28, true);
    for (let at = 0; at < key.length; at++) if (this.#data[start + at] !== key[at]) return false;
    return true;
  }

  /** The record's key, as long as the blob is held. */
  key(index: number): Uint8Array {
    const entry = HEAD + ENTRY * index;
    const start = this.#view.getUint32(entry + 28, true);
    return this.#data.subarray(start, start + this.#view.getUint16(entry + 36, true));
  }

  /** Copies, so that a small value doesn't hold the whole blob in memory. */
  record(index: number, epoch: string): IndexedRecord {
    const entry = HEAD + ENTRY * index;
    const timestamp = this.#view.getFloat64(entry + 16, true);
    const size = this.#view.getUint32(entry + 32, true);
    const kind = KINDS[this.#view.getUint8(entry + 38)];
    const key = ownedBytes(this.key(index));
    const start = this.#view.getUint32(entry + 28, true) + key.length;
    const end = kind === "tombstone" || kind === "omitted" ? start : start + size;
    const value: StoredValue =
      kind === "tombstone"
        ? null
        : kind === "omitted"
          ? { omitted: size }
          : ownedBytes(this.#data.subarray(start, end));
    const headers = this.#view.getUint8(entry + 39);
    return {
      epoch,
      offset: this.offset(index),
      previous: this.previous(index),
      arrival: this.#base + this.#view.getUint32(entry + 24, true),
      timestamp: Number.isNaN(timestamp) ? undefined : timestamp,
      key,
      kind,
      value,
      headers: headers === HEADERS ? this.#headers(end) : [],
      headersOmitted: headers === HEADERS_OMITTED ? this.#view.getUint32(end, true) : undefined,
    };
  }

  #headers(start: number): readonly RecordHeader[] {
    const headers: RecordHeader[] = [];
    let at = start + 4;
    for (let left = this.#view.getUint32(start, true); left > 0; left--) {
      const nameBytes = this.#view.getUint32(at, true);
      const size = this.#view.getInt32(at + 4, true);
      const name = Buffer.from(this.#data.buffer, this.#data.byteOffset + at + 8, nameBytes).toString();
      at += 8 + nameBytes;
      headers.push([name, size === NO_VALUE ? null : ownedBytes(this.#data.subarray(at, at + size))]);
      if (size !== NO_VALUE) at += size;
    }
    return headers;
  }
}
