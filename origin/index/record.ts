import type { Chained } from "../../shared/protocol/position.ts";
import type { RecordHeader } from "../source/source.ts";

/** The value was larger than the index takes; `omitted` is its size in bytes. */
export interface OmittedValue {
  readonly omitted: number;
}

/** null is a tombstone. */
export type StoredValue = Uint8Array | OmittedValue | null;

/** A record as the index knows it. What a read returns owns its bytes. */
export interface IndexedRecord extends Chained {
  /**
   * The order in which records of all partitions came to this index: what "before" and "newest" mean for a
   * key that is in two partitions. Not stable: an index that is built again may have another.
   */
  readonly arrival: number;
  /** Milliseconds since 1970; undefined if the log has none. */
  readonly timestamp: number | undefined;
  /** At most LIMITS.keyBytes; may be empty. */
  readonly key: Uint8Array;
  readonly value: StoredValue;
  /** In the order produced; names may repeat. */
  readonly headers: readonly RecordHeader[];
}

/** What a record counts in limits: the bytes of key, value and headers that are held. */
export function recordBytes(record: IndexedRecord): number {
  return record.key.length + valueBytes(record.value) + headersBytes(record.headers);
}

export function valueBytes(value: StoredValue): number {
  return value instanceof Uint8Array ? value.length : 0;
}

/** As they are packed: a count, then for each header two lengths, the name and the value; nothing if none. */
function headersBytes(headers: readonly RecordHeader[]): number {
  if (headers.length === 0) return 0;
  let bytes = 4;
  for (const [name, value] of headers) bytes += 8 + Buffer.byteLength(name) + (value?.length ?? 0);
  return bytes;
}
