import type { Value } from "../../shared/protocol/frame.ts";
import type { Chained } from "../../shared/protocol/position.ts";
import type { RecordHeader } from "../source/source.ts";

/** The value is too large to travel, and isn't held; `omitted` is its size in bytes. */
export interface OmittedValue {
  readonly omitted: number;
}

/** null is a tombstone. */
export type StoredValue = Uint8Array | OmittedValue | null;

/** What of a record travels, and how (F3, F8): decided once, when it comes (travelling.ts). */
export interface Travelling {
  /** Of the value; undefined of a small one. To look at it when it is asked for costs less than to look at all. */
  readonly kind: Value["kind"] | undefined;
  readonly value: StoredValue;
  /** In the order produced; names may repeat. */
  readonly headers: readonly RecordHeader[];
  /** There were headers, of so many bytes, which are too large to travel, and aren't held. */
  readonly headersOmitted?: number | undefined;
}

/** A record as the index knows it. What a read returns owns its bytes. */
export interface IndexedRecord extends Chained, Travelling {
  /**
   * The order in which records of all partitions came to this index: what "before" and "newest" mean for a
   * key that is in two partitions. Not stable: an index that is built again may have another.
   */
  readonly arrival: number;
  /** Milliseconds since 1970; undefined if the log has none. */
  readonly timestamp: number | undefined;
  /** At most LIMITS.keyBytes; may be empty. */
  readonly key: Uint8Array;
}

/** What a record counts in limits: the bytes of key, value and headers that are held. */
export function recordBytes(record: IndexedRecord): number {
  return record.key.length + valueBytes(record.value) + packedHeadersBytes(record);
}

export function valueBytes(value: StoredValue): number {
  return value instanceof Uint8Array ? value.length : 0;
}

/** As they are packed: a count, then for each header two lengths, the name and the value; nothing if none. */
function packedHeadersBytes({ headers, headersOmitted }: Travelling): number {
  if (headersOmitted !== undefined) return 4;
  if (headers.length === 0) return 0;
  return 4 + 8 * headers.length + headersBytes(headers);
}

/** Of names and values. */
export function headersBytes(headers: readonly RecordHeader[]): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += Buffer.byteLength(name) + (value?.length ?? 0);
  return bytes;
}
