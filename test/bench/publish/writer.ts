/** The origin's publishing alone, in a process of its own: marks, ledger, batches and Kafka, without uplinks and index. */
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { PublishDoor } from "../../../origin/publish/door.ts";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher, type TopicPublish } from "../../../origin/publish/publisher.ts";
import { ShardPublishes } from "../../../origin/uplink/shard-publishes.ts";
import { readStreams } from "../../../shared/config/streams.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import type { Message } from "../../../shared/protocol/message.ts";
import { nowUs, sleepUntil } from "../clock.ts";
import { Latencies } from "../histogram.ts";
import { answer } from "../load/rpc.ts";
import { dial } from "./asked.ts";
import type { Paced } from "./producer.ts";
import { cpuUsInAll, type Use, Used, type UsedInAll, type Work } from "./work.ts";

export interface OpenWriter {
  readonly broker: string;
  readonly topic: string;
}

export interface WriterWork extends Work {
  readonly underWay: number;
}

export interface WriterUse extends Use {
  readonly batches: number;
}

/** Another one's trouble is with this partition, or it has no leader. */
export const OTHERS_PARTITION = 0;
/** One in so many publishes is followed by one to that. */
export const OTHERS_EVERY = 10;
/** As long as an edge waits for it, and as long as it is to be written. */
const OTHERS_WITHIN_MS = 9_000;
const OTHERS_WRITTEN_MS = 8_000;

export interface PacedBeside extends Paced {
  readonly partitions: number;
}

const SECRET = Buffer.alloc(32, 1);
let batches = 0;

/** Of this sink all batches are counted. */
function counted(sink: KafkaSink): KafkaSink {
  const claimOf = sink.claim.bind(sink);
  sink.claim = async (request) => {
    const claim = await claimOf(request);
    const batchOf = claim.batch.bind(claim);
    claim.batch = (records, timestamp) => {
      batches++;
      return batchOf(records, timestamp);
    };
    return claim;
  };
  return sink;
}

let publisher: Publisher | undefined;
let topic = "";
let made = 0;

const KEYS = Array.from({ length: 1_000 }, (_, i) => Buffer.from(`key-${i}`));

function publishOf(bytes: number, keys: readonly Buffer[] = KEYS): TopicPublish {
  const number = made++;
  return {
    topic,
    key: keys[number % keys.length] ?? Buffer.alloc(0),
    value: Buffer.alloc(bytes, 0x61),
    headers: [],
    id: {
      issuer: "issuer",
      subject: `subject-${number % 100}`,
      key: `publish-${number}`,
      chosenBy: "client",
    },
    deadline: Number.POSITIVE_INFINITY,
    until: Number.POSITIVE_INFINITY,
  };
}

function inTime(publish: TopicPublish): TopicPublish {
  const deadline = performance.now() + OTHERS_WITHIN_MS;
  return { ...publish, deadline, until: Date.now() + OTHERS_WRITTEN_MS };
}

async function publishOne(publish: TopicPublish): Promise<void> {
  const result = await publisher?.publish(publish);
  if (result === undefined || "error" in result) throw new Error(`not published: ${JSON.stringify(result)}`);
}

const handlers = {
  async open(given: OpenWriter): Promise<void> {
    topic = given.topic;
    const sink = new KafkaSink({ brokers: [given.broker], clientId: "alone" }, { publishId: "bench" });
    publisher = new Publisher({ sink: counted(sink), marker: new Marker([SECRET]) });
    await publishOne(publishOf(1));
  },

  async burst({ count, bytes, underWay }: WriterWork): Promise<WriterUse> {
    const publishes = Array.from({ length: count }, () => publishOf(bytes)).values();
    const used = Used.begin();
    const before = batches;
    const run = async () => {
      for (const publish of publishes) await publishOne(publish);
    };
    await Promise.all(Array.from({ length: underWay }, run));
    return { ...used.end(count), batches: batches - before };
  },

  /** By a schedule that waits for nobody, to all partitions but one, and some to that. Latencies of the former, from when each was due. */
  async paced({ bytes, perSecond, seconds, partitions }: PacedBeside): Promise<string> {
    const isOthers = (key: Buffer) => partitionOf(key, partitions) === OTHERS_PARTITION;
    const [keys, others] = [KEYS.filter((key) => !isOthers(key)), KEYS.filter(isOthers)];
    const latencies = new Latencies();
    const from = nowUs();
    const underWay: Promise<void>[] = [];
    for (let i = 0; i < perSecond * seconds; i++) {
      const at = from + (i / perSecond) * 1e6;
      await sleepUntil(at);
      underWay.push(publishOne(publishOf(bytes, keys)).then(() => latencies.record(nowUs() - at)));
      // What becomes of it is not the question.
      if (i % OTHERS_EVERY === 0) void publisher?.publish(inTime(publishOf(bytes, others)));
    }
    await Promise.all(underWay);
    return latencies.encode();
  },

  /** From here on it publishes what a shard asks for, too: frame by frame, as an uplink does. */
  async dial(url: string): Promise<void> {
    const read = readStreams({
      streams: { [topic]: { title: topic, subscribe: "nobody", publish: "public" } },
    });
    if (!read.ok) throw new Error("the list of streams isn't one");
    const door = new PublishDoor({
      ...{ streams: read.streams, publisher, announce: () => {}, log: () => {} },
      ...{ now: () => performance.now(), wall: Date.now },
    });
    let send: ((messages: readonly Message[]) => void) | undefined;
    const publishes = new ShardPublishes(door, (messages) => send?.(messages));
    send = await dial(url, (message) => {
      const problem = publishes.take(message);
      if (problem !== undefined) throw new Error(problem);
    });
  },

  async used(): Promise<UsedInAll> {
    return { cpuUs: cpuUsInAll(), batches };
  },

  async close(): Promise<void> {
    await publisher?.close();
  },
};

export type WriterHandlers = typeof handlers;

answer(handlers);
