/// <reference path="../../origin/kafka/kafkajs-parts.d.ts" />
/** Three ways to read a topic of one broker: the origin's, kafkajs's fetch in a loop, and kafkajs's Consumer. */
import { connect } from "node:net";
import { Kafka, logLevel } from "kafkajs";
import Broker from "kafkajs/src/broker/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import { KafkaSource } from "../../origin/kafka/source.ts";
import { isAvailable } from "../../origin/source/source.ts";

const PARTITION_BYTES = 1024 * 1024;
const ANSWER_BYTES = 8 * PARTITION_BYTES;
const READ_COMMITTED = 1;

export interface Where {
  readonly broker: string;
  readonly topic: string;
  readonly partitions: number;
  /** Where to begin, and for the Consumer whether its group is to be a new one. */
  readonly from: "earliest" | "latest";
  readonly group: string;
}

export type OnRecords = (
  partition: number,
  records: readonly { readonly value: Uint8Array | null }[],
) => void | Promise<void>;

/** Reads until the process ends. */
export type Reader = (where: Where, onRecords: OnRecords) => Promise<void>;

export const READERS = { origin, fetch: fetchLoop, consumer } as const satisfies Record<string, Reader>;

export type ReaderName = keyof typeof READERS;

async function origin({ broker, topic, from }: Where, onRecords: OnRecords): Promise<void> {
  const source = new KafkaSource({ brokers: [broker], clientId: "compare" });
  const infos = (await source.describe(topic))?.filter(isAvailable) ?? [];
  const { signal } = new AbortController();
  await Promise.all(
    infos.map(({ partition, epoch, startOffset, endOffset }) =>
      source.read(
        { topic, partition, epoch, from: from === "earliest" ? startOffset : endOffset, signal },
        ({ records }) => onRecords(partition, records),
      ),
    ),
  );
}

/** What it answers with; a batch that is all gone has an offset of its own. */
interface Answer {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly { readonly offset: string; readonly value: Buffer | null }[];
    }[];
  }[];
}

/** From the beginning, with one request at a time for all partitions, as it is least trouble to write. */
async function fetchLoop({ broker, topic, partitions }: Where, onRecords: OnRecords): Promise<void> {
  const [host = "", port] = broker.split(":");
  const connectionPool = new ConnectionPool({
    host,
    port: Number(port),
    ssl: undefined,
    sasl: undefined,
    clientId: "compare",
    connectionTimeout: 1_000,
    requestTimeout: 30_000,
    logger: SILENT,
    socketFactory: ({ host, port, onConnect }) => connect({ host, port }, onConnect).setNoDelay(true),
  });
  const connection = new Broker({ connectionPool, logger: SILENT, allowAutoTopicCreation: false });
  await connection.connect();
  const fetching = connection as unknown as { fetch(request: object): Promise<Answer> };
  const next = Array.from({ length: partitions }, () => 0);
  for (;;) {
    const { responses } = await fetching.fetch({
      isolationLevel: READ_COMMITTED,
      maxWaitTime: 500,
      maxBytes: ANSWER_BYTES,
      topics: [
        {
          topic,
          partitions: next.map((offset, partition) => ({
            partition,
            fetchOffset: String(offset),
            maxBytes: PARTITION_BYTES,
          })),
        },
      ],
    });
    for (const { partition, messages } of responses.flatMap(({ partitions }) => partitions)) {
      const from = next[partition] ?? 0;
      const wanted = messages.filter(({ offset }) => Number(offset) >= from);
      next[partition] = Number(messages.at(-1)?.offset ?? from - 1) + 1;
      if (wanted.length > 0) await onRecords(partition, wanted);
    }
  }
}

async function consumer(
  { broker, topic, partitions, from, group }: Where,
  onRecords: OnRecords,
): Promise<void> {
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
  const reading = kafka.consumer({
    groupId: group,
    maxBytesPerPartition: PARTITION_BYTES,
    maxBytes: ANSWER_BYTES,
    maxWaitTimeInMs: 500,
  });
  await reading.subscribe({ topic, fromBeginning: from === "earliest" });
  await reading.run({
    partitionsConsumedConcurrently: partitions,
    eachBatch: async ({ batch }) => onRecords(batch.partition, batch.messages),
  });
  await new Promise(() => {});
}

const SILENT = {
  namespace: () => SILENT,
  info() {},
  error() {},
  warn() {},
  debug() {},
};
