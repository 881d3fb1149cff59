/** The origin's publishing alone, in a process of its own: marks, ledger, batches and Kafka, without uplinks and index. */
import { KafkaSink } from "../../../origin/kafka/sink.ts";
import { Marker } from "../../../origin/publish/mark.ts";
import { Publisher } from "../../../origin/publish/publisher.ts";
import type { Claim, ClaimRequest, Sink } from "../../../origin/publish/sink.ts";
import { answer } from "../load/rpc.ts";
import { type Use, Used, type Work } from "./work.ts";

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

const SECRET = Buffer.alloc(32, 1);
let batches = 0;

/** Counts batches, and is the one below otherwise. */
class Counting implements Sink {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  partitions(topic: string) {
    return this.#sink.partitions(topic);
  }

  async claim(request: ClaimRequest): Promise<Claim> {
    const claim = await this.#sink.claim(request);
    const batch = claim.batch.bind(claim);
    claim.batch = (records, timestamp) => {
      batches++;
      return batch(records, timestamp);
    };
    return claim;
  }

  close() {
    return this.#sink.close();
  }
}

let publisher: Publisher | undefined;
let topic = "";
let made = 0;

async function publishOne(bytes: number): Promise<void> {
  const number = made++;
  const result = await publisher?.publish({
    topic,
    key: Buffer.from(`key-${number % 1_000}`),
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
  });
  if (result === undefined || "error" in result) throw new Error(`not published: ${JSON.stringify(result)}`);
}

const handlers = {
  async open(given: OpenWriter): Promise<void> {
    topic = given.topic;
    const sink = new KafkaSink({ brokers: [given.broker], clientId: "alone" }, { publishId: "bench" });
    publisher = new Publisher({ sink: new Counting(sink), marker: new Marker([SECRET]) });
    await publishOne(1);
  },

  async burst({ count, bytes, underWay }: WriterWork): Promise<WriterUse> {
    const used = Used.begin();
    const before = batches;
    let left = count;
    const run = async () => {
      while (left-- > 0) await publishOne(bytes);
    };
    await Promise.all(Array.from({ length: underWay }, run));
    return { ...used.end(count), batches: batches - before };
  },

  async close(): Promise<void> {
    await publisher?.close();
  },
};

export type WriterHandlers = typeof handlers;

answer(handlers);
