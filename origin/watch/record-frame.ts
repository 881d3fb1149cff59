/** From a record to the frame of its update (F1–F8). */
import { isUtf8 } from "node:buffer";
import {
  classifyValue,
  decodeUtf8,
  encodeUpdate,
  type Frame,
  type Header,
  type Update,
  type Value,
} from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { IndexedRecord, StoredValue } from "../index/record.ts";
import { MARK_HEADER } from "../publish/mark.ts";
import type { RecordHeader } from "../source/source.ts";

/**
 * Escapes can make a text six times as long, and headers have no bound of their own. The edge takes messages of
 * up to 32 MiB; one that is larger would end the uplink, again and again.
 */
const FRAME_BYTES = 16 * 1024 * 1024;

/** `path` is the canonical path of the record's endpoint; `previous` may be known better than by the index. */
export function frameOf(path: string, record: IndexedRecord, previous: number | undefined): Frame {
  const { epoch, offset, timestamp } = record;
  const known = { endpoint: path, epoch, offset, previous, timestamp };
  const shown = withoutMark(record.headers);
  const headers = shown.map(readHeader);
  const value = readValue(record.value);
  const frame = encodeUpdate({ ...known, headers, value });
  if (fits(frame)) return frame;
  const omitted: Value = record.value === null ? value : { kind: "omitted", size: sizeOf(record.value) };
  const without = { ...known, headers: [], headersOmitted: sizeOfHeaders(shown) };
  const shorter: readonly Update[] = [
    // Whoever reads a key wants its value before all else.
    ...(shown.length > 0 ? [{ ...without, value }] : []),
    { ...known, headers, value: omitted },
  ];
  for (const update of shorter) {
    const encoded = encodeUpdate(update);
    if (fits(encoded)) return encoded;
  }
  return encodeUpdate({ ...without, value: omitted });
}

/** What a publish is remembered by is nobody's concern but the origins'. */
function withoutMark(headers: readonly RecordHeader[]): readonly RecordHeader[] {
  return headers.some(([name]) => name === MARK_HEADER)
    ? headers.filter(([name]) => name !== MARK_HEADER)
    : headers;
}

function fits(frame: Frame): boolean {
  // UTF-8 takes at most three bytes for each of UTF-16's units.
  return frame.length <= FRAME_BYTES / 3 || Buffer.byteLength(frame) <= FRAME_BYTES;
}

function sizeOf(value: NonNullable<StoredValue>): number {
  return value instanceof Uint8Array ? value.length : value.omitted;
}

function sizeOfHeaders(headers: readonly RecordHeader[]): number {
  return headers.reduce((size, [name, value]) => size + Buffer.byteLength(name) + (value?.length ?? 0), 0);
}

function readHeader([name, value]: RecordHeader): Header {
  return [name, value && isUtf8(value) ? (decodeUtf8(value) ?? value) : value];
}

function readValue(value: StoredValue): Value {
  if (value === null) return classifyValue(value);
  if (!(value instanceof Uint8Array)) return { kind: "omitted", size: value.omitted };
  // A decoder that meets what isn't UTF-8 throws, which takes as long as all else here ten times over.
  return value.length > LIMITS.valueBytes || isUtf8(value)
    ? classifyValue(value)
    : { kind: "bytes", bytes: value };
}
