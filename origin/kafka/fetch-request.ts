/** The request to fetch records, in every version that this client knows (apis.ts). */
import { TIME_LIMITS } from "../time-limits.ts";
import type { ApiReader } from "./api-reader.ts";
import type { ApiWriter } from "./api-writer.ts";
import { type Bounds, BY_ID } from "./apis.ts";
import type { Request } from "./request.ts";
import { CONSUMER, KAFKA_ERROR, NO_ID, READ_COMMITTED } from "./requests.ts";
import type { Long } from "./wire.ts";

const READ_UNCOMMITTED = 0;
/** Much may have to come from disks, or from far away: how long a broker may be silent, unless told otherwise. */
const FETCH_SILENCE_MS = TIME_LIMITS.fetchSilentMs;

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
  /** Of which it is one (fetch-session.ts), where the broker may have any. */
  readonly session?: SessionPort;
}

/** What a request says of its session, and which partitions it names. */
export interface SessionRequest {
  readonly id: number;
  readonly epoch: number;
  readonly named: readonly FetchFrom[];
  /** That the broker is to keep no longer. */
  readonly forgotten: readonly FetchFrom[];
}

export interface SessionPort {
  /** @param maxBytes Of a partition. @param byId Whether topics are told by their ids. */
  request(maxBytes: number, byId: boolean): SessionRequest;
  /** Returns whether the error concerns nothing but the session; the answer then names no partition. */
  answered(id: number, error: number): boolean;
}

/** From this version on there are sessions. */
const SESSIONS = 7;
const NONE: readonly FetchFrom[] = [];

/** Names a partition of a topic once: brokers that are told names can't tell two topics of one name apart. */
export function fetchRequest(from: readonly FetchFrom[], bounds: FetchBounds): Request<readonly Fetched[]> {
  const topicOf = topicsById(from);
  return {
    name: "Fetch",
    versions: boundsOf(from, bounds.byIdOnly === true),
    silenceMs: bounds.waitMs + (bounds.silenceMs ?? FETCH_SILENCE_MS),
    giveUp: bounds.giveUp,
    encode: (writer) => {
      const { version } = writer;
      // Brokers that follow others say so in a tag, from then on.
      if (version < 15) writer.int32(CONSUMER);
      writer
        .int32(bounds.waitMs)
        .int32(1)
        .int32(mostBytes(from, bounds.maxBytes))
        .int8(bounds.uncommitted ? READ_UNCOMMITTED : READ_COMMITTED);
      const session = version >= SESSIONS ? bounds.session : undefined;
      const asked = session?.request(bounds.partitionMaxBytes, version >= BY_ID.Fetch);
      const { id, epoch, named, forgotten } = asked ?? { id: 0, epoch: -1, named: from, forgotten: NONE };
      if (version >= SESSIONS) writer.int32(id).int32(epoch);
      // The order of partitions is the order in which they may fill the answer, so each is by itself.
      writer.arrayOf(named.length);
      for (const one of named) fetchFrom(writer, one, bounds.partitionMaxBytes);
      if (version >= SESSIONS) writer.array(forgotten, (one) => forget(writer, one));
      if (version >= 11) writer.string(""); // rack
    },
    decode: (reader) => {
      const { version } = reader;
      const throttleMs = reader.int32();
      const error = version >= SESSIONS ? reader.int16() : KAFKA_ERROR.none;
      const session = version >= SESSIONS ? reader.int32() : 0;
      const isRefused = version >= SESSIONS && bounds.session?.answered(session, error) === true;
      if (error !== KAFKA_ERROR.none && !isRefused)
        throw new Error(`a fetch was answered with Kafka's error ${error}`);
      const answer: Fetched[] = [];
      for (let topics = reader.arrayLength(); topics > 0; topics--) {
        const topic = version >= BY_ID.Fetch ? topicOf(reader.uuid()) : (reader.string() ?? "");
        for (let left = reader.arrayLength(); left > 0; left--) answer.push(fetchedPartition(reader, topic));
        reader.tags();
      }
      return { throttleMs, answer };
    },
  };
}

function mostBytes(from: readonly FetchFrom[], maxBytes: number): number {
  let most = maxBytes;
  for (const { leastBytes = 0 } of from) if (leastBytes > most) most = leastBytes;
  return most;
}

const ANY: Bounds = {};
const BY_NAME: Bounds = { atMost: BY_ID.Fetch - 1 };
const BY_ID_ONLY: Bounds = { atLeast: BY_ID.Fetch };

function boundsOf(from: readonly FetchFrom[], byIdOnly: boolean): Bounds {
  const hasNoId = from.some(({ topicId }) => topicId === undefined);
  if (!hasNoId) return byIdOnly ? BY_ID_ONLY : ANY;
  return byIdOnly ? { ...BY_NAME, ...BY_ID_ONLY } : BY_NAME;
}

/** Which topic has an id, asked in the order of an answer: mostly that of the request, and the same again. */
function topicsById(from: readonly FetchFrom[]): (id: Buffer) => string {
  let at = 0;
  let last = from[0];
  let all: Map<string | undefined, string> | undefined;
  return (id) => {
    if (last?.topicId?.equals(id)) return last.topic;
    for (let next = from[at]; next?.topicId !== undefined; next = from[++at])
      if (next.topicId.equals(id)) {
        last = next;
        return next.topic;
      }
    all ??= new Map(from.map(({ topic, topicId }) => [topicId?.toString("latin1"), topic]));
    return all.get(id.toString("latin1")) ?? "";
  };
}

function writeTopic(writer: ApiWriter, { topic, topicId }: FetchFrom): void {
  if (writer.version >= BY_ID.Fetch) writer.uuid(topicId ?? NO_ID);
  else writer.string(topic);
}

function forget(writer: ApiWriter, one: FetchFrom): void {
  writeTopic(writer, one);
  writer.arrayOf(1).int32(one.partition).tags();
}

function fetchFrom(writer: ApiWriter, one: FetchFrom, maxBytes: number): void {
  const { version } = writer;
  const { partition, offset, leaderEpoch, lastEpoch, leastBytes = 0 } = one;
  writeTopic(writer, one);
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
  const aborted = abortedIn(reader);
  if (version >= 11) reader.int32(); // preferred replica
  const records = reader.bytesField() ?? NOTHING;
  const diverging = reader.tags().includes(DIVERGING_EPOCH);
  // A log without transactions need not say where they would hold back what follows.
  const lastStableOffset = stable < 0 ? highWatermark : stable;
  return { topic, partition, error, diverging, highWatermark, lastStableOffset, aborted, records };
}

const NONE_ABORTED: readonly AbortedTransaction[] = [];

function abortedIn(reader: ApiReader): readonly AbortedTransaction[] {
  let left = reader.arrayLength();
  // As nearly always.
  if (left <= 0) return NONE_ABORTED;
  const aborted: AbortedTransaction[] = [];
  for (; left > 0; left--) {
    aborted.push({ producerId: reader.long(), firstOffset: reader.int64() });
    reader.tags();
  }
  return aborted;
}
