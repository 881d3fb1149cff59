/**
 * The requests that reading a log takes, in every version that this client knows (apis.ts). kafkajs stops short of these, and
 * its own decoders lose what a reader needs: the order of headers, where a batch without records ends, and every other
 * partition when one has an error.
 */
import { idOfName } from "../source/epoch.ts";
import type { ApiReader } from "./api-reader.ts";
import type { Request } from "./request.ts";

export const CONSUMER = -1;
export const READ_COMMITTED = 1;
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
export const NO_ID = Buffer.alloc(16);
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
