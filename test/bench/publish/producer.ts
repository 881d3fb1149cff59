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
import { MARK_HEADER } from "../../../origin/publish/mark.ts";
import { eventually } from "../../support/deadline.ts";
import { nowUs, sleepUntil } from "../clock.ts";
import { Latencies } from "../histogram.ts";
import { answer } from "../load/rpc.ts";
import { type Use, Used, type Work } from "./work.ts";

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
/** As long as the origin's header is. */
const MARK_BYTES = 37;

let to: { readonly topic: string; readonly topicId: Buffer; readonly partition: number } | undefined;
let connection: BrokerConnection | undefined;
let identity: ProducerIdentity | undefined;
let sequence = 0;

async function append(records: readonly ProducedRecord[]): Promise<void> {
  if (connection === undefined || to === undefined || identity === undefined)
    throw new Error("open was not called");
  const batch = producedBatch(records, { ...identity, sequence }, Date.now());
  const { error } = await connection.send(produceRequest(to, batch, WAITS));
  if (error !== WRITE_ERROR.none) throw new Error(`Kafka's error ${error}`);
  sequence += records.length;
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

  async close(): Promise<void> {
    connection?.close();
  },
};

export type ProducerHandlers = typeof handlers;

answer(handlers);
