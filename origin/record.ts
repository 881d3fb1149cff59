/** From a record to the frame of its update (F1–F8). */
import {
  classifyValue,
  decodeUtf8,
  encodeUpdate,
  type Frame,
  type Header,
  type Value,
} from "../shared/protocol/frame.ts";
import type { IndexedRecord, StoredValue } from "./index/record.ts";
import type { RecordHeader } from "./source.ts";

/** `path` is the canonical path of the record's endpoint; `previous` may be known better than by the index. */
export function frameOf(path: string, record: IndexedRecord, previous: number | undefined): Frame {
  return encodeUpdate({
    endpoint: path,
    epoch: record.epoch,
    offset: record.offset,
    previous,
    timestamp: record.timestamp,
    headers: record.headers.map(readHeader),
    value: readValue(record.value),
  });
}

function readHeader([name, value]: RecordHeader): Header {
  return [name, value && (decodeUtf8(value) ?? value)];
}

function readValue(value: StoredValue): Value {
  if (value === null || value instanceof Uint8Array) return classifyValue(value);
  return { kind: "omitted", size: value.omitted };
}
