/** From a record to the frame of its update (F1–F8), by what was decided when it came (index/travelling.ts). */
import { isUtf8 } from "node:buffer";
import {
  decodeUtf8,
  encodeBytesHead,
  encodeJsonHead,
  encodeUpdate,
  type Frame,
  type Header,
  type Update,
  type Value,
} from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { LatestValue } from "../../shared/protocol/uplink.ts";
import type { IndexedRecord } from "../index/record.ts";
import { kindOfStored } from "../index/travelling.ts";
import type { RecordHeader } from "../source/source.ts";

const NO_HEADERS: readonly Header[] = [];

/** A frame before it is put together: what stands before its value, and the value as it was produced. */
export interface SplitFrame {
  /** Then the value is JSON, and JSON_END follows. */
  readonly isText: boolean;
  readonly head: string;
  readonly value: Uint8Array;
}

/** The same as `frameOf` for who sends it on at once: of bytes no text need be made, to make bytes of it again. */
export function liveFrameOf(
  path: string,
  record: IndexedRecord,
  previous: number | undefined,
): Frame | SplitFrame {
  const { epoch, offset, timestamp, value, headersOmitted } = record;
  const isPlain = record.headers.length === 0 && headersOmitted === undefined;
  if (!isPlain || !(value instanceof Uint8Array)) return frameOf(path, record, previous);
  const kind = kindOfStored(record.kind, value);
  const update = { endpoint: path, epoch, offset, previous, timestamp, headers: NO_HEADERS };
  if (kind === "json") return { isText: true, head: encodeJsonHead(update), value };
  if (kind === "bytes") return { isText: false, head: encodeBytesHead(update, value.length), value };
  return frameOf(path, record, previous);
}

/** `path` is the canonical path of the record's endpoint; `previous` may be known better than by the index. */
export function frameOf(path: string, record: IndexedRecord, previous: number | undefined): Frame {
  const { epoch, offset, timestamp, headersOmitted } = record;
  const value = readValue(record);
  // As nearly all are: without copies of what is read once.
  if (record.headers.length === 0 && headersOmitted === undefined)
    return encodeUpdate({ endpoint: path, epoch, offset, previous, timestamp, headers: NO_HEADERS, value });
  const headers = record.headers.map(readHeader);
  return encodeUpdate({ ...headOf(path, record, previous), headers, value });
}

/**
 * The record as a question is told of it (U8): without headers, which are for subscribers. A large value is told as the bytes
 * that were produced, which nobody on the way need decode, or, if the question is brief, not at all.
 */
export function latestFrameOf(
  path: string,
  record: IndexedRecord,
  brief: boolean,
): { readonly frame: Frame; readonly value: LatestValue | undefined } {
  const head = { ...headOf(path, record, record.previous), headers: [] };
  const { value } = record;
  const kind = kindOfStored(record.kind, value);
  if (kind === "tombstone" || kind === "omitted" || !(value instanceof Uint8Array) || !isLarge(value))
    return { frame: encodeUpdate({ ...head, value: readValue(record) }), value: undefined };
  const told: Value = brief ? { kind: "omitted", size: value.length } : { kind: "bytes", bytes: value };
  return { frame: encodeUpdate({ ...head, value: told }), value: kind };
}

function isLarge(value: Uint8Array): boolean {
  return value.length > LIMITS.questionValueBytes;
}

function headOf(
  endpoint: string,
  { epoch, offset, timestamp, headersOmitted }: IndexedRecord,
  previous: number | undefined,
): Omit<Update, "headers" | "value"> {
  const known = { endpoint, epoch, offset, previous, timestamp };
  return headersOmitted === undefined ? known : { ...known, headersOmitted };
}

function readHeader([name, value]: RecordHeader): Header {
  return [name, value && isUtf8(value) ? (decodeUtf8(value) ?? value) : value];
}

function readValue(record: IndexedRecord): Value {
  const { value } = record;
  if (value === null) return { kind: "tombstone" };
  if (!(value instanceof Uint8Array)) return { kind: "omitted", size: value.omitted };
  const kind = kindOfStored(record.kind, value);
  const text = kind === "json" || kind === "text" ? decodeUtf8(value) : undefined;
  return text === undefined
    ? { kind: "bytes", bytes: value }
    : { kind: kind === "json" ? "json" : "text", text };
}
