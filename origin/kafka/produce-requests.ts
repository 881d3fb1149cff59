/**
 * The requests that writing takes, in versions that Kafka 3.1 and all later ones know. AddPartitionsToTxn and EndTxn are
 * of version 3: later ones are for brokers among themselves, or give the producer another epoch with every transaction.
 */
/// <reference path="./kafkajs-parts.d.ts" />

import Encoder from "kafkajs/src/protocol/encoder.js";
import type { Request } from "./request.ts";
import type { WireReader } from "./wire.ts";

const NO_TAGS = 0;
const OF_TRANSACTIONS = 1;
const ALL_IN_SYNC = -1;
const NOTHING_BEFORE = -1;

/** What Kafka calls the errors that a writer tells apart. */
export const WRITE_ERROR = {
  none: 0,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedVersion: 35,
  policyViolation: 44,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  storage: 56,
  unknownProducerId: 59,
  unsupportedCompression: 76,
  invalidRecord: 87,
  producerFenced: 90,
  transactionalIdNotFound: 105,
} as const;

/** An id and epoch that a transactional id has; the highest of these is its writer. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** Answers with an error, or with which broker coordinates a transactional id. */
export function findCoordinatorRequest(
  id: string,
): Request<{ readonly error: number; readonly node: number }> {
  return {
    name: "FindCoordinator",
    key: 10,
    version: 3,
    encode: () => start().writeUVarIntString(id).writeInt8(OF_TRANSACTIONS).writeUVarInt(NO_TAGS),
    decode: (reader) => {
      const throttleMs = begin(reader);
      const error = reader.int16();
      reader.compactString(); // in words
      return { throttleMs, answer: { error, node: reader.int32() } };
    },
  };
}

/** Takes a transactional id over: whoever had it before is fenced at the coordinator. */
export function initProducerIdRequest(
  id: string | null,
  timeoutMs: number,
): Request<ProducerIdentity & { readonly error: number }> {
  return {
    name: "InitProducerId",
    key: 22,
    version: 4,
    encode: () =>
      start()
        .writeUVarIntString(id)
        .writeInt32(timeoutMs)
        .writeInt64(NOTHING_BEFORE)
        .writeInt16(NOTHING_BEFORE)
        .writeUVarInt(NO_TAGS),
    decode: (reader) => {
      const throttleMs = begin(reader);
      const error = reader.int16();
      return { throttleMs, answer: { error, producerId: reader.int64(), producerEpoch: reader.int16() } };
    },
  };
}

/** Answers with the partition's error. */
export function addPartitionToTxnRequest(
  id: string,
  { producerId, producerEpoch }: ProducerIdentity,
  topic: string,
  partition: number,
): Request<number> {
  return {
    name: "AddPartitionsToTxn",
    key: 24,
    version: 3,
    encode: () =>
      start()
        .writeUVarIntString(id)
        .writeInt64(producerId)
        .writeInt16(producerEpoch)
        .writeUVarInt(2)
        .writeUVarIntString(topic)
        .writeUVarInt(2)
        .writeInt32(partition)
        .writeUVarInt(NO_TAGS)
        .writeUVarInt(NO_TAGS),
    decode: (reader) => {
      const throttleMs = begin(reader);
      const errors = reader.compactArray(() => {
        reader.compactString();
        const found = reader.compactArray(() => {
          reader.int32();
          const error = reader.int16();
          reader.skipTags();
          return error;
        });
        reader.skipTags();
        return found;
      });
      return { throttleMs, answer: errors.flat()[0] ?? WRITE_ERROR.unknownTopicOrPartition };
    },
  };
}

/** Answers with an error before the marks are written. */
export function commitTxnRequest(
  id: string,
  { producerId, producerEpoch }: ProducerIdentity,
): Request<number> {
  return {
    name: "EndTxn",
    key: 26,
    version: 3,
    encode: () =>
      start()
        .writeUVarIntString(id)
        .writeInt64(producerId)
        .writeInt16(producerEpoch)
        .writeBoolean(true)
        .writeUVarInt(NO_TAGS),
    decode: (reader) => {
      const throttleMs = begin(reader);
      return { throttleMs, answer: reader.int16() };
    },
  };
}

/** Whether a coordinator knows a transactional id: one that nobody has taken, or not for a week, is none. */
export function describeTransactionRequest(id: string): Request<{ readonly error: number }> {
  return {
    name: "DescribeTransactions",
    key: 65,
    version: 0,
    encode: () => start().writeUVarInt(2).writeUVarIntString(id).writeUVarInt(NO_TAGS),
    decode: (reader) => {
      const throttleMs = begin(reader);
      const errors = reader.compactArray(() => {
        const error = reader.int16();
        reader.compactString(); // the id
        reader.compactString(); // its state
        reader.skip(4 + 8 + 8 + 2); // a transaction's timeout and start, and the producer
        reader.compactArray(() => {
          reader.compactString();
          reader.compactArray(() => reader.int32());
          reader.skipTags();
        });
        reader.skipTags();
        return error;
      });
      reader.skipTags();
      return { throttleMs, answer: { error: errors[0] ?? WRITE_ERROR.coordinatorNotAvailable } };
    },
  };
}

export interface ProducedAnswer {
  readonly error: number;
  /** Of the batch's first record. */
  readonly offset: number;
  /** Why, if the broker says more than its error. */
  readonly words: string | undefined;
  /** Whether the topic was told by its id: a broker up to 4.0 takes its name, which another topic may have got since. */
  readonly isById: boolean;
}

export interface ProduceTo {
  readonly topic: string;
  readonly topicId: Buffer;
  readonly partition: number;
}

/**
 * Without a transactional id: of transactions there are none, and subscribers wait for none. Brokers from 4.1 on take the
 * topic by its id; to older ones a topic that was created again is the one that it was.
 */
export function produceRequest(
  { topic, topicId, partition }: ProduceTo,
  batch: Buffer,
  waits: { readonly timeoutMs: number; readonly silenceMs: number },
): Request<ProducedAnswer> {
  const byId = (encoder: Encoder) => encoder.writeBuffer(topicId);
  const byName = (encoder: Encoder) => encoder.writeUVarIntString(topic);
  const newer = produce(OF_IDS, byId, (reader) => reader.uuid(), partition, batch, waits);
  return { ...produce(9, byName, (reader) => reader.compactString(), partition, batch, waits), newer };
}

/** The first version of Produce that tells topics by their ids. */
const OF_IDS = 13;

function produce(
  version: number,
  writeTopic: (encoder: Encoder) => Encoder,
  readTopic: (reader: WireReader) => unknown,
  partition: number,
  batch: Buffer,
  { timeoutMs, silenceMs }: { readonly timeoutMs: number; readonly silenceMs: number },
): Request<ProducedAnswer> {
  return {
    name: "Produce",
    key: 0,
    version,
    silenceMs,
    encode: () =>
      writeTopic(
        start().writeUVarIntString(null).writeInt16(ALL_IN_SYNC).writeInt32(timeoutMs).writeUVarInt(2),
      )
        .writeUVarInt(2)
        .writeInt32(partition)
        .writeUVarInt(batch.length + 1)
        .writeBuffer(batch)
        .writeUVarInt(NO_TAGS)
        .writeUVarInt(NO_TAGS)
        .writeUVarInt(NO_TAGS),
    decode: (reader) => {
      reader.skipTags();
      const answers = reader.compactArray(() => {
        readTopic(reader);
        const answered = reader.compactArray(() => producedAnswer(reader, version >= OF_IDS));
        reader.skipTags();
        return answered;
      });
      const [answer] = answers.flat();
      if (answer === undefined) throw new Error("a broker's answer to Produce leaves out the partition");
      return { throttleMs: reader.int32(), answer };
    },
  };
}

function producedAnswer(reader: WireReader, isById: boolean): ProducedAnswer {
  reader.int32(); // the partition
  const error = reader.int16();
  const offset = reader.int64();
  reader.skip(16); // when it was appended, and where the log starts
  const faults = reader.compactArray(() => {
    reader.int32();
    const words = reader.compactString();
    reader.skipTags();
    return words;
  });
  const words = reader.compactString() ?? faults.find((fault) => fault !== null) ?? undefined;
  reader.skipTags();
  return { error, offset, words, isById };
}

const start = () => new Encoder().writeUVarInt(NO_TAGS);

function begin(reader: WireReader): number {
  reader.skipTags();
  return reader.int32();
}
