/**
 * The floor: a bare idempotent producer, in a process of its own. The same connection to Kafka and the same batches as the
 * origin's writer has, of the same bytes, one batch under way at a time; and nothing else.
 */
import { BrokerConnection } from "../../../origin/kafka/connection.ts";
import {
  initProducerIdRequest,
  type ProducerIdentity,
  produceRequest,
  WRITE_ERROR,
} from "../../../origin/kafka/produce-requests.ts";
import { type ProducedRecord, producedBatch } from "../../../origin/kafka/produced-batch.ts";
import { metadataRequest } from "../../../origin/kafka/requests.ts";
import { MARK_BYTES, MARK_HEADER } from "../../../origin/publish/mark.ts";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import { splitBytesFrame } from "../../../shared/protocol/bytes-frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { type Message, packMessages, splitBinary } from "../../../shared/protocol/message.ts";
import { encodePublished } from "../../../shared/protocol/publish.ts";
import { eventually } from "../../support/deadline.ts";
import { nowUs, sleepUntil } from "../clock.ts";
import { Latencies } from "../histogram.ts";
import { answer } from "../load/rpc.ts";
import { dial } from "./asked.ts";
import { cpuUsInAll, type Use, Used, type UsedInAll, type Work } from "./work.ts";

export interface OpenProducer {
  readonly broker: string;
  readonly topic: string;
}

export interface ProducerWork extends Work {
  /** Records of a batch, on average. */
  readonly perBatch: number;
}

export interface Paced {
  readonly bytes: number;
  readonly perSecond: number;
  readonly seconds: number;
}

const WAITS = { timeoutMs: 30_000, silenceMs: 60_000 };
const TRANSACTION_MS = 60_000;
/** As many as the origin's writer puts into one. */
const MOST_IN_BATCH = 1_000;

let to: { readonly topic: string; readonly topicId: Buffer; readonly partition: number } | undefined;
let connection: BrokerConnection | undefined;
let identity: ProducerIdentity | undefined;
let sequence = 0;
let batches = 0;

/** Returns the offset of the first. */
async function append(records: readonly ProducedRecord[]): Promise<number> {
  if (connection === undefined || to === undefined || identity === undefined)
    throw new Error("open was not called");
  const batch = producedBatch(records, { ...identity, sequence }, Date.now());
  const { error, offset } = await connection.send(produceRequest(to, batch, WAITS));
  if (error !== WRITE_ERROR.none) throw new Error(`Kafka's error ${error}`);
  sequence += records.length;
  batches++;
  return offset;
}

interface Asked {
  readonly id: number;
  readonly record: ProducedRecord;
}

function readAsked(frame: Uint8Array<ArrayBuffer>): Asked {
  const parts = splitBytesFrame(frame);
  if (parts === undefined) throw new Error("that is no publish");
  const { publish, id } = parts.head as { readonly publish: string; readonly id: number };
  const key = Buffer.from(publish.slice(publish.indexOf("/", 1) + 1));
  return { id, record: { key, value: parts.bytes, headers: [[MARK_HEADER, Buffer.alloc(MARK_BYTES)]] } };
}

/** What comes while a batch is under way goes with the next one, as with the origin's writer. */
async function appendAll(waiting: Asked[], send: (messages: readonly Message[]) => void): Promise<void> {
  while (waiting.length > 0) {
    const asked = waiting.splice(0, MOST_IN_BATCH);
    const first = await append(asked.map(({ record }) => record));
    const answers = asked.map(({ id }, i) => encodePublished(id, { position: `e:${first + i}` }));
    const frames = answers.map((text) => encodeAddressed({ kind: "shard" }, text));
    send(packMessages(frames, LIMITS.batchBytes));
  }
}

function recordOf(number: number, bytes: number): ProducedRecord {
  return {
    key: Buffer.from(`key-${number % 1_000}`),
    value: Buffer.alloc(bytes, 0x61),
    headers: [[MARK_HEADER, Buffer.alloc(MARK_BYTES)]],
  };
}

const handlers = {
  async open({ broker, topic }: OpenProducer): Promise<void> {
    const [host = "", port] = broker.split(":");
    const dialled = new BrokerConnection(
      { brokers: [broker], clientId: "bare" },
      { host, port: Number(port) },
    );
    connection = dialled;
    const { topics } = await dialled.send(metadataRequest(topic));
    const [found] = topics;
    if (found === undefined || found.error !== 0) throw new Error(`there is no ${topic}`);
    to = { topic, topicId: found.id, partition: 0 };
    identity = await eventually(async () => {
      const given = await dialled.send(initProducerIdRequest(null, TRANSACTION_MS));
      return given.error === WRITE_ERROR.none && given;
    }, "a producer id");
  },

  /** As fast as Kafka takes them. */
  async burst({ count, bytes, perBatch }: ProducerWork): Promise<Use> {
    const records = Array.from({ length: count }, (_, i) => recordOf(i, bytes));
    const used = Used.begin();
    let sent = 0;
    for (let batches = 1; sent < count; batches++) {
      // Of a mean that is no whole number, too.
      const size = Math.max(1, Math.min(count, Math.round(batches * perBatch)) - sent);
      await append(records.slice(sent, sent + size));
      sent += size;
    }
    return used.end(sent);
  },

  /** What falls due while a batch is under way goes with the next one. Latencies from when each was due. */
  async paced({ bytes, perSecond, seconds }: Paced): Promise<string> {
    const latencies = new Latencies();
    const from = nowUs();
    const total = perSecond * seconds;
    const dueAt = (i: number) => from + (i / perSecond) * 1e6;
    for (let next = 0; next < total; ) {
      await sleepUntil(dueAt(next));
      const first = next;
      while (next < total && dueAt(next) <= nowUs()) next++;
      if (next === first) continue;
      await append(Array.from({ length: next - first }, (_, i) => recordOf(first + i, bytes)));
      for (let i = first; i < next; i++) latencies.record(nowUs() - dueAt(i));
    }
    return latencies.encode();
  },

  /** From here on it appends what a shard asks for, too, and answers each; it knows no publish again. */
  async dial(url: string): Promise<void> {
    const waiting: Asked[] = [];
    let isBusy = false;
    const send = await dial(url, (message) => {
      for (const frame of splitBinary(message) ?? []) waiting.push(readAsked(frame));
      if (isBusy) return;
      isBusy = true;
      void appendAll(waiting, (messages) => send(messages)).finally(() => {
        isBusy = false;
      });
    });
  },

  async used(): Promise<UsedInAll> {
    return { cpuUs: cpuUsInAll(), batches };
  },

  async close(): Promise<void> {
    connection?.close();
  },
};

export type ProducerHandlers = typeof handlers;

answer(handlers);
