/**
 * What of a record travels, and how: F3 and F8 of PROTOCOL.md. That is decided once, when the record comes, and held with it.
 * Whoever asks for it is told what was decided: a value that takes long to understand, or is too large, costs that once, and
 * not whenever somebody asks.
 */
import { isUtf8 } from "node:buffer";
import { kindOf, type Value } from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { MARK_HEADER } from "../publish/mark.ts";
import type { RecordHeader, SourceRecord } from "../source/source.ts";
import { headersBytes, type StoredValue, type Travelling, valueBytes } from "./record.ts";

/** A frame without headers and value takes less: a path of up to 3,326 bytes, a position, numbers and the names of fields. */
const HEAD_BYTES = 4 * 1024;
const ROOM_BYTES = LIMITS.frameBytes - HEAD_BYTES;

/** A byte of a text that is escaped takes up to so many in a frame. */
const ESCAPED_BYTES = 6;
/** What a header takes besides its name and value: `["","","base64"],`. */
const HEADER_BYTES = 17;

/** Whoever asks for a value that is no larger can look at it each time, in a fraction of a millisecond. */
const SMALL_BYTES = 64 * 1024;

/** What a value is that was looked at before, or is small. */
export function kindOfStored(kind: Travelling["kind"], value: StoredValue): Value["kind"] {
  return kind ?? kindOf(value instanceof Uint8Array ? value : null, isUtf8);
}

/** The record's bytes are held, not copied. */
export function travelling(record: Pick<SourceRecord, "value" | "headers">): Travelling {
  const { value } = record;
  const headers = withoutMark(record.headers);
  if (value !== null && value.length <= SMALL_BYTES) {
    const largest = ESCAPED_BYTES * value.length;
    return fitted(undefined, value, largest, headers);
  }
  const kind = kindOf(value, isUtf8);
  if (value === null) return fitted(kind, value, 0, headers);
  if (kind === "omitted") return fitted(kind, { omitted: value.length }, 0, headers);
  const isRoomy = ESCAPED_BYTES * value.length <= ROOM_BYTES;
  // Whether a text fits by itself need be counted only if it is large.
  const size = kind === "text" && !isRoomy ? escapedBytes(value) : value.length;
  if (size > ROOM_BYTES) return fitted("omitted", { omitted: value.length }, 0, headers);
  return fitted(kind, value, kind === "text" && isRoomy ? ESCAPED_BYTES * size : size, headers);
}

/** What a publish is remembered by is nobody's concern but the origins', which read it in the log. */
function withoutMark(headers: readonly RecordHeader[]): readonly RecordHeader[] {
  if (headers.length === 0) return headers;
  return headers.some(([name]) => name === MARK_HEADER)
    ? headers.filter(([name]) => name !== MARK_HEADER)
    : headers;
}

/** @param size No less than the value takes in a frame. */
function fitted(
  kind: Travelling["kind"],
  value: Travelling["value"],
  size: number,
  headers: readonly RecordHeader[],
): Travelling {
  if (headers.length === 0) return { kind, value, headers };
  const held = headersBytes(headers);
  if (size + ESCAPED_BYTES * held + HEADER_BYTES * headers.length <= ROOM_BYTES)
    return { kind, value, headers };
  const isText = value instanceof Uint8Array && kindOfStored(kind, value) === "text";
  const exact = isText ? escapedBytes(value) : valueBytes(value);
  if (exact + encodedHeadersBytes(headers) <= ROOM_BYTES) return { kind, value, headers };
  // Whoever reads a key wants its value before all else.
  return { kind, value, headers: [], headersOmitted: held };
}

/** What headers take in a frame. */
function encodedHeadersBytes(headers: readonly RecordHeader[]): number {
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += HEADER_BYTES + escapedBytes(Buffer.from(name));
    if (value === null) continue;
    bytes += isUtf8(value) ? escapedBytes(value) : 4 * Math.ceil(value.length / 3);
  }
  return bytes;
}

const SHORT_ESCAPES = new Set(Buffer.from('"\\\b\f\n\r\t'));

/** What UTF-8 takes as a JSON string, its quotes apart. */
function escapedBytes(text: Uint8Array): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0;
    if (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) continue;
    bytes += SHORT_ESCAPES.has(byte) ? 1 : ESCAPED_BYTES - 1;
  }
  return bytes;
}
