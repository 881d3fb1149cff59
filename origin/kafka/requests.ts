/**
 * The requests that reading a log takes, in versions that name topics by their id (Kafka 3.1 and newer).
 * kafkajs stops short of these, and its own decoders lose what a reader needs: the order of headers, where a
 * batch without records ends, and every other partition when one has an error.
 *
 * A request begins with the empty tags that end its header, and a response likewise: flexible versions have
 * these, and kafkajs writes and reads the header of the older ones.
 */
/// <reference path="./kafkajs-parts.d.ts" />

import Encoder from "kafkajs/src/protocol/encoder.js";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Request } from "./request.ts";
import type { WireReader } from "./wire.ts";

const CONSUMER = -1;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const NO_TAGS = 0;
/** Much may have to come from disks, or from far away: how long a broker may be silent, unless told otherwise. */
const FETCH_SILENCE_MS = TIME_LIMITS.fetchSilentMs;
export const LATEST = -1;
export const EARLIEST = -2;

/** What Kafka calls those of its errors that this reader tells apart. */
export const KAFKA_ERROR = {
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  invalidTopic: 17,
  topicAuthorizationFailed: 29,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

export interface TopicMetadata {
  readonly error: number;
  readonly name: string;
  readonly id: Buffer;
  readonly partitions: readonly PartitionMetadata[];
  /** What this client may do to it, a bit each, if that was asked. */
  readonly operations?: number;
}

export interface PartitionMetadata {
  readonly partition: number;
  readonly error: number;
  /** A broker's id; -1 while there is none. */
  readonly leader: number;
  /** Grows with every election. */
  readonly leaderEpoch: number;
}

export interface BrokerAddress {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface Metadata {
  readonly brokers: readonly BrokerAddress[];
  readonly topics: readonly TopicMetadata[];
}

/** About one topic or, if none is named, about all that this client may know of. */
export function metadataRequest(topic: string | undefined, withOperations = false): Request<Metadata> {
  return {
    name: "Metadata",
    key: 3,
    version: 12,
    encode: () =>
      (topic === undefined
        ? start().writeUVarInt(0)
        : start()
            .writeUVarInt(2)
            .writeBuffer(Buffer.alloc(16))
            .writeUVarIntString(topic)
            .writeUVarInt(NO_TAGS)
      )
        .writeBoolean(false) // a topic is never created by looking for it
        .writeBoolean(withOperations)
        .writeUVarInt(NO_TAGS),
    decode: (reader) => {
      const throttleMs = begin(reader);
      const brokers = reader.compactArray(() => {
        const broker = { id: reader.int32(), host: reader.compactString() ?? "", port: reader.int32() };
        reader.compactString(); // rack
        reader.skipTags();
        return broker;
      });
      reader.compactString(); // cluster
      reader.int32(); // controller
      return { throttleMs, answer: { brokers, topics: reader.compactArray(topicMetadata) } };
    },
  };
}

function topicMetadata(reader: WireReader): TopicMetadata {
  const error = reader.int16();
  const name = reader.compactString() ?? "";
  const id = Buffer.from(reader.uuid());
  reader.int8(); // internal
  const partitions = reader.compactArray(() => {
    const found = {
      error: reader.int16(),
      partition: reader.int32(),
      leader: reader.int32(),
      leaderEpoch: reader.int32(),
    };
    for (let replicas = 0; replicas < 3; replicas++) reader.compactArray(() => reader.int32());
    reader.skipTags();
    return found;
  });
  const operations = reader.int32();
  reader.skipTags();
  return {
    error,
    name,
    id,
    partitions: partitions.toSorted((a, b) => a.partition - b.partition),
    operations,
  };
}

export interface ListedOffset {
  readonly partition: number;
  readonly error: number;
  readonly offset: number;
}

/**
 * Offsets of partitions that one broker leads: the end of what is committed, the beginning of what is held, or the first
 * offset of a time (milliseconds since 1970) or later, which is -1 if there is none.
 */
export function listOffsetsRequest(
  topic: string,
  partitions: readonly number[],
  which: number,
): Request<readonly ListedOffset[]> {
  return {
    name: "ListOffsets",
    key: 2,
    version: 7,
    encode: () => {
      const encoder = start()
        .writeInt32(CONSUMER)
        .writeInt8(READ_COMMITTED)
        .writeUVarInt(2)
        .writeUVarIntString(topic)
        .writeUVarInt(partitions.length + 1);
      for (const partition of partitions)
        encoder.writeInt32(partition).writeInt32(-1).writeInt64(which).writeUVarInt(NO_TAGS);
      return encoder.writeUVarInt(NO_TAGS).writeUVarInt(NO_TAGS);
    },
    decode: (reader) => {
      const throttleMs = begin(reader);
      const topics = reader.compactArray(() => {
        reader.compactString();
        const listed = reader.compactArray(() => {
          const partition = reader.int32();
          const error = reader.int16();
          reader.skip(8); // timestamp, which may be any
          const offset = reader.int64();
          reader.int32(); // leader epoch
          reader.skipTags();
          return { partition, error, offset };
        });
        reader.skipTags();
        return listed;
      });
      return { throttleMs, answer: topics.flat() };
    },
  };
}

export interface FetchFrom {
  readonly topicId: Buffer;
  readonly partition: number;
  readonly offset: number;
  /** Of the leader as last heard of: a broker that is no longer that refuses. */
  readonly leaderEpoch: number;
  /** In which the record before `offset` was written; -1 if that isn't known. */
  readonly lastEpoch: number;
}

export interface Fetched {
  readonly topicId: Buffer;
  readonly partition: number;
  readonly error: number;
  /** The record before the offset asked for is not the one that was read. There are no records then. */
  readonly diverging: boolean;
  /** Where what all replicas have ends. -1 with an error. */
  readonly highWatermark: number;
  /** Where what is committed, or aborted, ends. -1 with an error. */
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches; the last may be cut short. */
  readonly records: Buffer;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface FetchBounds {
  /** How long the broker waits for a first byte. */
  readonly waitMs: number;
  /** Beyond that, and then between bytes; longer, and the broker is taken for dead. */
  readonly silenceMs?: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  /** Up to what all replicas have, whether or not transactions before it are over. */
  readonly uncommitted?: true;
  readonly giveUp?: Request<unknown>["giveUp"];
}

export function fetchRequest(from: readonly FetchFrom[], bounds: FetchBounds): Request<readonly Fetched[]> {
  return {
    name: "Fetch",
    key: 1,
    version: 13,
    silenceMs: bounds.waitMs + (bounds.silenceMs ?? FETCH_SILENCE_MS),
    ...(bounds.giveUp && { giveUp: bounds.giveUp }),
    encode: () => {
      const encoder = start()
        .writeInt32(CONSUMER)
        .writeInt32(bounds.waitMs)
        .writeInt32(1)
        .writeInt32(bounds.maxBytes)
        .writeInt8(bounds.uncommitted ? READ_UNCOMMITTED : READ_COMMITTED)
        .writeInt32(0) // no fetch session
        .writeInt32(-1)
        .writeUVarInt(from.length + 1);
      // The order of partitions is the order in which they may fill the answer, so each is by itself.
      for (const { topicId, partition, offset, leaderEpoch, lastEpoch } of from)
        encoder
          .writeBuffer(topicId)
          .writeUVarInt(2)
          .writeInt32(partition)
          .writeInt32(leaderEpoch)
          .writeInt64(offset)
          .writeInt32(lastEpoch)
          .writeInt64(-1)
          .writeInt32(bounds.partitionMaxBytes)
          .writeUVarInt(NO_TAGS)
          .writeUVarInt(NO_TAGS);
      return encoder.writeUVarInt(1).writeUVarIntString("").writeUVarInt(NO_TAGS);
    },
    decode: (reader) => {
      const throttleMs = begin(reader);
      const error = reader.int16();
      if (error !== KAFKA_ERROR.none) throw new Error(`a fetch was answered with Kafka's error ${error}`);
      reader.int32(); // session
      const topics = reader.compactArray(() => {
        // Not a view: with the records of one partition it would keep those of all in memory.
        const topicId = Buffer.from(reader.uuid());
        const fetched = reader.compactArray(() => fetchedPartition(reader, topicId));
        reader.skipTags();
        return fetched;
      });
      return { throttleMs, answer: topics.flat() };
    },
  };
}

const NOTHING = Buffer.alloc(0);
/** The tagged field in which a broker says where its log and the reader's part. */
const DIVERGING_EPOCH = 0;

function fetchedPartition(reader: WireReader, topicId: Buffer): Fetched {
  const partition = reader.int32();
  const error = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  reader.int64(); // start
  const aborted = reader.compactArray(() => {
    const transaction = { producerId: reader.int64(), firstOffset: reader.int64() };
    reader.skipTags();
    return transaction;
  });
  reader.int32(); // preferred replica
  const records = reader.compactBytes() ?? NOTHING;
  const diverging = reader.tags().includes(DIVERGING_EPOCH);
  return { topicId, partition, error, diverging, highWatermark, lastStableOffset, aborted, records };
}

const start = () => new Encoder().writeUVarInt(NO_TAGS);

/** Returns how long the broker wants to be left alone. */
function begin(reader: WireReader): number {
  reader.skipTags();
  return reader.int32();
}
