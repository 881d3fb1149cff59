/**
 * The requests that reading a log takes, in every version that this client knows (apis.ts). kafkajs stops short of these, and
 * its own decoders lose what a reader needs: the order of headers, where a batch without records ends, and every other
 * partition when one has an error.
 */
import { idOfName } from "../source/epoch.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { ApiReader } from "./api-reader.ts";
import type { ApiWriter } from "./api-writer.ts";
import { BY_ID } from "./apis.ts";
import type { Request } from "./request.ts";
import type { Long } from "./wire.ts";

const CONSUMER = -1;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
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
  /** Its own, or else one that is made of the cluster's id and the topic's name: which a topic created again has, too. */
  readonly id: Buffer;
  readonly hasOwnId: boolean;
  readonly partitions: readonly PartitionMetadata[];
  /** What this client may do to it, a bit each, if that was asked. */
  readonly operations?: number;
}

export interface PartitionMetadata {
  readonly partition: number;
  readonly error: number;
  /** A broker's id; -1 while there is none. */
  readonly leader: number;
  /** Grows with every election; -1 if the broker doesn't say. */
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

/** Before this one, whoever asks for a topic may create it. */
const LOOKS_ONLY = 4;
const NO_ID = Buffer.alloc(16);
const UNKNOWN_EPOCH = -1;

/** About one topic or, if none is named, about all that this client may know of. */
export function metadataRequest(topic: string | undefined, withOperations = false): Request<Metadata> {
  return {
    name: "Metadata",
    encode: (writer) => {
      const { version } = writer;
      const topics = topic === undefined || version < LOOKS_ONLY ? null : [topic];
      writer.array(topics, (name) => {
        if (version >= 10) writer.uuid(NO_ID);
        writer.string(name).tags();
      });
      if (version >= LOOKS_ONLY) writer.boolean(false); // a topic is never created by looking for it
      if (version >= 8 && version <= 10) writer.boolean(false);
      if (version >= 8) writer.boolean(withOperations);
    },
    decode: (reader) => {
      const { version } = reader;
      const throttleMs = version >= 3 ? reader.int32() : 0;
      const brokers = reader.array(() => {
        const broker = { id: reader.int32(), host: reader.string() ?? "", port: reader.int32() };
        reader.string(); // rack
        reader.tags();
        return broker;
      });
      const cluster = version >= 2 ? reader.string() : null;
      reader.int32(); // controller
      const all = reader.array(() => topicMetadata(reader, cluster ?? ""));
      if (topic === undefined || version >= LOOKS_ONLY)
        return { throttleMs, answer: { brokers, topics: all } };
      const found = all.filter(({ name }) => name === topic);
      return { throttleMs, answer: { brokers, topics: found.length > 0 ? found : [absent(topic)] } };
    },
  };
}

/** As of a broker that was asked for this topic. */
const absent = (name: string): TopicMetadata => ({
  error: KAFKA_ERROR.unknownTopicOrPartition,
  name,
  id: NO_ID,
  hasOwnId: false,
  partitions: [],
});

function topicMetadata(reader: ApiReader, cluster: string): TopicMetadata {
  const { version } = reader;
  const error = reader.int16();
  const name = reader.string() ?? "";
  const own = version >= 10 ? Buffer.from(reader.uuid()) : NO_ID;
  const hasOwnId = !own.equals(NO_ID);
  reader.int8(); // internal
  const partitions = reader.array(() => {
    const found = {
      error: reader.int16(),
      partition: reader.int32(),
      leader: reader.int32(),
      leaderEpoch: version >= 7 ? reader.int32() : UNKNOWN_EPOCH,
    };
    const lists = version >= 5 ? 3 : 2;
    for (let replicas = 0; replicas < lists; replicas++) reader.array(() => reader.int32());
    reader.tags();
    return found;
  });
  const operations = version >= 8 ? reader.int32() : undefined;
  reader.tags();
  return {
    error,
    name,
    id: hasOwnId ? own : idOfName(cluster, name),
    hasOwnId,
    partitions: partitions.toSorted((a, b) => a.partition - b.partition),
    ...(operations !== undefined && { operations }),
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
    encode: (writer) => {
      const { version } = writer;
      writer.int32(CONSUMER);
      // Without transactions both are the same.
      if (version >= 2) writer.int8(READ_COMMITTED);
      writer.array([topic], (name) =>
        writer
          .string(name)
          .array(partitions, (partition) => {
            writer.int32(partition);
            if (version >= 4) writer.int32(UNKNOWN_EPOCH);
            writer.int64(which).tags();
          })
          .tags(),
      );
    },
    decode: (reader) => {
      const { version } = reader;
      const throttleMs = version >= 2 ? reader.int32() : 0;
      const topics = reader.array(() => {
        reader.string();
        const listed = reader.array(() => {
          const partition = reader.int32();
          const error = reader.int16();
          reader.skip(8); // timestamp, which may be any
          const offset = reader.int64();
          if (version >= 4) reader.int32(); // leader epoch
          reader.tags();
          return { partition, error, offset };
        });
        reader.tags();
        return listed;
      });
      return { throttleMs, answer: topics.flat() };
    },
  };
}

export interface FetchFrom {
  readonly topic: string;
  /** Undefined if the log has none for it. */
  readonly topicId: Buffer | undefined;
  readonly partition: number;
  readonly offset: number;
  /** Of the leader as last heard of: a broker that is no longer that refuses. */
  readonly leaderEpoch: number;
  /** In which the record before `offset` was written; -1 if that isn't known. */
  readonly lastEpoch: number;
  /** How many bytes are asked for, where that is more than usual. */
  readonly leastBytes?: number | undefined;
}

export interface Fetched {
  readonly topic: string;
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
  readonly producerId: Long;
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
  /** Not of a broker that is told topics by their names. */
  readonly byIdOnly?: true;
  readonly giveUp?: Request<unknown>["giveUp"];
}

/** Names a partition of a topic once: brokers that are told names can't tell two topics of one name apart. */
export function fetchRequest(from: readonly FetchFrom[], bounds: FetchBounds): Request<readonly Fetched[]> {
  const topicOf = topicsById(from);
  const versions = {
    ...(from.some(({ topicId }) => topicId === undefined) && { atMost: BY_ID.Fetch - 1 }),
    ...(bounds.byIdOnly && { atLeast: BY_ID.Fetch }),
  };
  return {
    name: "Fetch",
    versions,
    silenceMs: bounds.waitMs + (bounds.silenceMs ?? FETCH_SILENCE_MS),
    ...(bounds.giveUp && { giveUp: bounds.giveUp }),
    encode: (writer) => {
      const { version } = writer;
      // Brokers that follow others say so in a tag, from then on.
      if (version < 15) writer.int32(CONSUMER);
      writer
        .int32(bounds.waitMs)
        .int32(1)
        .int32(from.reduce((most, { leastBytes = 0 }) => Math.max(most, leastBytes), bounds.maxBytes))
        .int8(bounds.uncommitted ? READ_UNCOMMITTED : READ_COMMITTED);
      if (version >= 7) writer.int32(0).int32(-1); // no fetch session
      // The order of partitions is the order in which they may fill the answer, so each is by itself.
      writer.array(from, (one) => fetchFrom(writer, one, bounds.partitionMaxBytes));
      if (version >= 7) writer.array([], () => {}); // forgotten of a session
      if (version >= 11) writer.string(""); // rack
    },
    decode: (reader) => {
      const { version } = reader;
      const throttleMs = reader.int32();
      const error = version >= 7 ? reader.int16() : KAFKA_ERROR.none;
      if (error !== KAFKA_ERROR.none) throw new Error(`a fetch was answered with Kafka's error ${error}`);
      if (version >= 7) reader.int32(); // session
      const topics = reader.array(() => {
        const topic = version >= BY_ID.Fetch ? topicOf(reader.uuid()) : (reader.string() ?? "");
        const fetched = reader.array(() => fetchedPartition(reader, topic));
        reader.tags();
        return fetched;
      });
      return { throttleMs, answer: topics.flat() };
    },
  };
}

/** Which topic has an id, asked in the order of an answer, which mostly is that of the request. */
function topicsById(from: readonly FetchFrom[]): (id: Buffer) => string {
  let at = 0;
  let all: Map<string | undefined, string> | undefined;
  return (id) => {
    for (let next = from[at]; next?.topicId !== undefined; next = from[++at])
      if (next.topicId.equals(id)) return next.topic;
    all ??= new Map(from.map(({ topic, topicId }) => [topicId?.toString("latin1"), topic]));
    return all.get(id.toString("latin1")) ?? "";
  };
}

function fetchFrom(writer: ApiWriter, one: FetchFrom, maxBytes: number): void {
  const { version } = writer;
  const { partition, offset, leaderEpoch, lastEpoch, leastBytes = 0 } = one;
  if (version >= BY_ID.Fetch) writer.uuid(one.topicId ?? NO_ID);
  else writer.string(one.topic);
  writer.arrayOf(1).int32(partition);
  if (version >= 9) writer.int32(leaderEpoch);
  writer.int64(offset);
  if (version >= 12) writer.int32(lastEpoch);
  if (version >= 5) writer.int64(-1); // where a follower's log starts
  writer.int32(Math.max(maxBytes, leastBytes)).tags().tags();
}

const NOTHING = Buffer.alloc(0);
/** The tagged field in which a broker says where its log and the reader's part. */
const DIVERGING_EPOCH = 0;

function fetchedPartition(reader: ApiReader, topic: string): Fetched {
  const { version } = reader;
  const partition = reader.int32();
  const error = reader.int16();
  const highWatermark = reader.int64();
  const stable = reader.int64();
  if (version >= 5) reader.skip(8); // where the log starts
  const aborted = reader.array(() => {
    const transaction = { producerId: reader.long(), firstOffset: reader.int64() };
    reader.tags();
    return transaction;
  });
  if (version >= 11) reader.int32(); // preferred replica
  const records = reader.bytesField() ?? NOTHING;
  const diverging = reader.tags().includes(DIVERGING_EPOCH);
  // A log without transactions need not say where they would hold back what follows.
  const lastStableOffset = stable < 0 ? highWatermark : stable;
  return { topic, partition, error, diverging, highWatermark, lastStableOffset, aborted, records };
}
