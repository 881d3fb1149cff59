/**
 * Records of the formats 0 and 1, which brokers before 4.0 hand out as they lie on their disks: single messages,
 * or compressed ones within another.
 */
import { crc32 } from "node:zlib";
import type { SourceRecord } from "../source/source.ts";
import { CODEC_MASK } from "./compression.ts";
import type { Contents, NextRecord, Packed } from "./packed.ts";
import { type Long, timeOf, WireError, WireReader } from "./wire.ts";

/** Before a message's length ends; its checksum follows, then what that is of. */
const LENGTH_END = 12;
const CHECKED_FROM = 16;

const LOG_APPEND_TIME = 0x08;

export interface Message {
  readonly offset: number;
  readonly magic: number;
  readonly attributes: number;
  /** -1 in format 0, which has none. */
  readonly timestamp: Long;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** The record of the message that begins at `at` and ends before `end`, or what it takes to unpack those in it. Throws WireError. */
export function messageIn(answer: Buffer, at: number, end: number): { readonly next: NextRecord } | Packed {
  const outer = messageAt(answer, at, end);
  const { attributes, value } = outer;
  if ((attributes & CODEC_MASK) === 0) {
    let record: SourceRecord | undefined = recordOf(outer, outer.offset, outer.timestamp);
    return {
      next: () => {
        const next = record;
        record = undefined;
        return next;
      },
    };
  }
  if (value === null) throw new WireError("a compressed message holds nothing");
  return {
    attributes,
    bytes: value,
    lengthAt: messageLength,
    lastOf: lastOffsetOf,
    // Those of format 1 count from any number; the last of them has the offset of what holds them.
    contents: (last = 0) => contentsOf(outer, outer.magic === 0 ? 0 : outer.offset - last),
  };
}

function contentsOf(outer: Message, base: number): Contents {
  return {
    records: (run) => {
      let at = 0;
      return () => {
        if (at >= run.length) return undefined;
        const end = endOfMessage(run, at);
        const message = messageAt(run, at, end);
        at = end;
        if ((message.attributes & CODEC_MASK) !== 0)
          throw new WireError("a compressed message within another");
        const timestamp = (outer.attributes & LOG_APPEND_TIME) !== 0 ? outer.timestamp : message.timestamp;
        const offset = base + message.offset;
        if (offset < 0 || offset > outer.offset)
          throw new WireError(`the message at ${offset} lies outside of the one that holds it`);
        return recordOf(message, offset, timestamp);
      };
    },
    // What is cut short doesn't have its sum.
    end: () => {},
  };
}

/** As it stands there, of the last message of a run; undefined if there is none. */
function lastOffsetOf(run: Buffer): number | undefined {
  let last: number | undefined;
  for (let at = 0; at < run.length; at = endOfMessage(run, at)) last = new WireReader(run, at).int64();
  return last;
}

function endOfMessage(set: Buffer, at: number): number {
  return at + LENGTH_END + Math.max(0, new WireReader(set, at + 8).int32());
}

/** With what says so; undefined if that isn't there yet. */
function messageLength(set: Buffer, at: number): number | undefined {
  return at + LENGTH_END > set.length ? undefined : endOfMessage(set, at) - at;
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
