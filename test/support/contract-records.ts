/** Records for the contract of sources, and what tests compare of them. */
import type { RecordHeader, SourceRecord } from "../../origin/source/source.ts";

export interface ContractRecord {
  readonly partition: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** Of the recent past, so that no log's retention takes it. */
export const BASE_TIME = Date.now() - 600_000;

export const text = (value: string) => new TextEncoder().encode(value);

export function recordOf(
  partition: number,
  value: string,
  overrides: Partial<ContractRecord> = {},
): ContractRecord {
  return { partition, timestamp: BASE_TIME, key: text("k"), value: text(value), headers: [], ...overrides };
}

export const numbered = (partition: number, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => recordOf(partition, String(from + i)));

/** Comparable whatever kind of byte array a log returns, and short where a test fails. */
const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString("hex"));

export const content = ({ timestamp, key, value, headers }: Omit<SourceRecord, "offset">) => ({
  timestamp,
  key: hex(key),
  value: hex(value),
  headers: headers.map(([name, bytes]) => [name, hex(bytes)]),
});

export const values = (records: readonly SourceRecord[]) =>
  records.map(({ value }) => (value === null ? null : Buffer.from(value).toString()));

export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
