/**
 * Records of the formats 0 and 1, which brokers before 4.0 hand out as they lie on their disks: single messages,
 * or compressed ones within another.
 */
import { crc32 } from "node:zlib";
import type { SourceRecord } from "../source.ts";
import { CODEC_MASK, decompress } from "./compression.ts";
import { type Long, timeOf, WireError, WireReader } from "./wire.ts";

/** Before a message's length ends; its checksum follows, then what that is of. */
const LENGTH_END = 12;
const CHECKED_FROM = 16;

const LOG_APPEND_TIME = 0x08;

interface Message {
  readonly offset: number;
  readonly magic: number;
  readonly attributes: number;
  /** -1 in format 0, which has none. */
  readonly timestamp: Long;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** The records of a message that begins at `at` and ends before `end`. Throws WireError. */
export function* messagesOf(answer: Buffer, at: number, end: number): Generator<SourceRecord, void, void> {
  const outer = messageAt(answer, at, end);
  if ((outer.attributes & CODEC_MASK) === 0) {
    yield recordOf(outer, outer.offset, outer.timestamp);
    return;
  }
  if (outer.value === null) throw new WireError("a compressed message holds nothing");
  const inner = [...messages(decompress(outer.attributes, outer.value))];
  // Those of format 1 count from any number; the last of them has the offset of what holds them.
  const base = outer.magic === 0 ? 0 : outer.offset - (inner.at(-1)?.offset ?? 0);
  for (const message of inner) {
    if ((message.attributes & CODEC_MASK) !== 0) throw new WireError("a compressed message within another");
    const timestamp = (outer.attributes & LOG_APPEND_TIME) !== 0 ? outer.timestamp : message.timestamp;
    yield recordOf(message, base + message.offset, timestamp);
  }
}

function* messages(set: Buffer): Generator<Message, void, void> {
  for (let at = 0; at < set.length; ) {
    const end = at + LENGTH_END + new WireReader(set, at + 8).int32();
    yield messageAt(set, at, end);
    at = end;
  }
}

function messageAt(set: Buffer, at: number, end: number): Message {
  const reader = new WireReader(set, at, Math.min(end, set.length));
  const offset = reader.int64();
  reader.int32(); // length
  const checksum = reader.int32() >>> 0;
  if (crc32(set.subarray(at + CHECKED_FROM, end)) !== checksum)
    throw new WireError(`the message at ${offset} is damaged`);
  const magic = reader.int8();
  if (magic !== 0 && magic !== 1) throw new WireError(`a message of format ${magic} among older ones`);
  const attributes = reader.int8();
  const timestamp = magic === 0 ? -1 : reader.long();
  return { offset, magic, attributes, timestamp, key: nullable(reader), value: nullable(reader) };
}

function recordOf({ key, value }: Message, offset: number, timestamp: Long): SourceRecord {
  return { offset, timestamp: timeOf(timestamp), key, value, headers: [] };
}

function nullable(reader: WireReader): Buffer | null {
  const length = reader.int32();
  return length === -1 ? null : reader.slice(length);
}
