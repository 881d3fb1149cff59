/** The requests that writing takes, in every version that this client knows (apis.ts). */
import type { ApiReader } from "./api-reader.ts";
import { BY_ID } from "./apis.ts";
import type { Request } from "./request.ts";
import type { Long } from "./wire.ts";

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
  readonly producerId: Long;
  readonly producerEpoch: number;
}

/** One whose id can be compared, and told, as a number: no Kafka draws others. */
export interface WriterIdentity extends ProducerIdentity {
  readonly producerId: number;
}

/** Answers with an error, or with which broker coordinates a transactional id. */
export function findCoordinatorRequest(
  id: string,
): Request<{ readonly error: number; readonly node: number }> {
  return {
    name: "FindCoordinator",
    encode: (writer) => {
      writer.string(id).int8(OF_TRANSACTIONS);
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      const error = reader.int16();
      reader.string(); // in words
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
    encode: (writer) => {
      writer.string(id).int32(timeoutMs);
      if (writer.version >= 3) writer.int64(NOTHING_BEFORE).int16(NOTHING_BEFORE);
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      const error = reader.int16();
      return { throttleMs, answer: { error, producerId: reader.long(), producerEpoch: reader.int16() } };
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
    encode: (writer) => {
      writer.string(id).int64(producerId).int16(producerEpoch);
      writer.array([topic], (name) =>
        writer
          .string(name)
          .array([partition], (number) => writer.int32(number))
          .tags(),
      );
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      const errors = reader.array(() => {
        reader.string();
        const found = reader.array(() => {
          reader.int32();
          const error = reader.int16();
          reader.tags();
          return error;
        });
        reader.tags();
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
    encode: (writer) => {
      writer.string(id).int64(producerId).int16(producerEpoch).boolean(true);
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      return { throttleMs, answer: reader.int16() };
    },
  };
}

/** Whether a coordinator knows a transactional id: one that nobody has taken, or not for a week, is none. */
export function describeTransactionRequest(id: string): Request<{ readonly error: number }> {
  return {
    name: "DescribeTransactions",
    encode: (writer) => {
      writer.array([id], (one) => writer.string(one));
    },
    decode: (reader) => {
      const throttleMs = reader.int32();
      const errors = reader.array(() => {
        const error = reader.int16();
        reader.string(); // the id
        reader.string(); // its state
        reader.skip(4 + 8 + 8 + 2); // a transaction's timeout and start, and the producer
        reader.array(() => {
          reader.string();
          reader.array(() => reader.int32());
          reader.tags();
        });
        reader.tags();
        return error;
      });
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
  /** Undefined if the log has none for it. */
  readonly topicId: Buffer | undefined;
  readonly partition: number;
}

/**
 * Without a transactional id: of transactions there are none, and subscribers wait for none. Brokers from 4.1 on take the
 * topic by its id; to older ones a topic that was created again is the one that it was.
 */
export function produceRequest(
  { topic, topicId, partition }: ProduceTo,
  batch: Buffer,
  { timeoutMs, silenceMs }: { readonly timeoutMs: number; readonly silenceMs: number },
): Request<ProducedAnswer> {
  return {
    name: "Produce",
    ...(topicId === undefined && { versions: { atMost: BY_ID.Produce - 1 } }),
    silenceMs,
    encode: (writer) => {
      writer.string(null).int16(ALL_IN_SYNC).int32(timeoutMs);
      writer.array([topic], (name) => {
        if (topicId !== undefined && writer.version >= BY_ID.Produce) writer.uuid(topicId);
        else writer.string(name);
        writer.array([partition], (number) => writer.int32(number).bytesField(batch).tags()).tags();
      });
    },
    decode: (reader) => {
      const isById = reader.version >= BY_ID.Produce;
      const answers = reader.array(() => {
        if (isById) reader.uuid();
        else reader.string();
        const answered = reader.array(() => producedAnswer(reader, isById));
        reader.tags();
        return answered;
      });
      const [answer] = answers.flat();
      if (answer === undefined) throw new Error("a broker's answer to Produce leaves out the partition");
      return { throttleMs: reader.int32(), answer };
    },
  };
}

function producedAnswer(reader: ApiReader, isById: boolean): ProducedAnswer {
  const { version } = reader;
  reader.int32(); // the partition
  const error = reader.int16();
  const offset = reader.int64();
  reader.skip(8); // when it was appended
  if (version >= 5) reader.skip(8); // where the log starts
  if (version < 8) return { error, offset, words: undefined, isById };
  const faults = reader.array(() => {
    reader.int32();
    const words = reader.string();
    reader.tags();
    return words;
  });
  const words = reader.string() ?? faults.find((fault) => fault !== null) ?? undefined;
  reader.tags();
  return { error, offset, words, isById };
}
