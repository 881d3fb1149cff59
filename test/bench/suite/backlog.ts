/** A topic that holds many records already, and origins that come to it: without an index, and with one that has everything. */
import { globSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Deployment } from "../../support/deployment.ts";
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic, deleteTopic } from "../../support/kafka-topics.ts";
import { nowUs } from "../clock.ts";
import { Clients } from "../load/load.ts";
import { Payloads } from "../load/payload.ts";
import { isInterrupted, unlessInterrupted } from "../load/rpc.ts";
import { openSink } from "../load/sinks.ts";
import { cpuUs } from "../proc.ts";
import { BASE, type Context } from "./context.ts";

export interface Backlog {
  readonly topic: string;
  readonly records: number;
  readonly keys: number;
  readonly watched: number;
  /** Bytes. */
  readonly payload: number;
}

/** From the start of the processes. */
export interface CaughtUp {
  readonly seconds: number;
  readonly recordsPerSecond: number;
  /** Microseconds of CPU. */
  readonly cpuPerRecord: number;
}

/** How origins caught up: without an index; and when theirs held everything, where only starting takes time. */
export interface Starts {
  readonly cold: CaughtUp;
  readonly warmSeconds: number;
}

const KEYS = 10_000;
const BATCH = 1_000;
const AT_ONCE = 4;

/** A topic that is full while `use` runs. */
export async function withBacklog<T>(
  { kafka, progress, scale }: Context,
  partitions: number,
  use: (backlog: Backlog) => Promise<T>,
): Promise<T> {
  const records = Math.max(BATCH, Math.round((1_000_000 * scale) / BATCH) * BATCH);
  const { payload } = BASE;
  const topic = `backlog-${process.pid}-${partitions}`;
  const admin = kafka.client().admin();
  await admin.connect();
  await createTopic(admin, topic, partitions);
  try {
    progress(`writing ${records} records`);
    await unlessInterrupted(fill(kafka, topic, records, payload));
    return await use({ topic, records, keys: KEYS, watched: KEYS / 100, payload });
  } finally {
    // Kafka itself is about to be gone, or is already.
    if (!isInterrupted()) await deleteTopic(admin, topic);
    await admin.disconnect();
  }
}

async function fill(kafka: KafkaBroker, topic: string, records: number, bytes: number): Promise<void> {
  const payloads = new Payloads(bytes, false);
  const sink = await openSink({ kind: "kafka", brokers: kafka.brokers, topic }, KEYS);
  let next = 0;
  const lane = async () => {
    while (next < records) {
      const first = next;
      next += BATCH;
      const batch = Array.from({ length: BATCH }, (_, i) => {
        const sequence = Math.floor((first + i) / KEYS);
        return {
          endpoint: (first + i) % KEYS,
          sequence,
          payload: payloads.encode({ due: nowUs(), sequence }),
        };
      });
      await sink.send(batch);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  await sink.close();
}

/**
 * So many origins that share the partitions, started with indexes of everything; then again with these gone, while clients
 * wait for them. (The first start makes the indexes, and is not measured.)
 */
export async function startOrigins(
  { topic, records, watched }: Backlog,
  { bootstrap }: KafkaBroker,
  origins: number,
): Promise<Starts> {
  const deployment = await Deployment.start({
    topics: { [topic]: {} },
    originEnv: { KAFKA_BROKERS: bootstrap },
    slices: origins,
  });
  const clients = new Clients({
    url: deployment.url,
    topic,
    assignment: Array.from({ length: watched }, (_, i) => i),
    processes: 1,
    dialect: "distributary",
    first: undefined,
  });
  const stop = () => Promise.all(deployment.origins.map((origin) => origin.stop()));
  const start = async () => {
    const since = nowUs();
    deployment.startOrigins(origins);
    await unlessInterrupted(deployment.ready());
    const cpu = deployment.origins.reduce((sum, { process }) => sum + cpuUs(process.pid ?? 0), 0);
    return { seconds: (nowUs() - since) / 1e6, cpu };
  };
  try {
    await stop();
    const warm = await start();
    await stop();
    for (const folder of indexFolders(deployment.dataDir))
      for (const file of readdirSync(folder)) if (file.startsWith("index")) rmSync(join(folder, file));
    const live = clients.connect();
    // Where the origins don't come, that is told.
    live.catch(() => {});
    const cold = await start();
    await live;
    return { cold: perRecord(cold.seconds, cold.cpu, records), warmSeconds: warm.seconds };
  } finally {
    await clients.stop();
    await deployment.stop();
  }
}

/** Of all origins that a deployment has had. */
function indexFolders(dataDir: string): string[] {
  return [dataDir, ...globSync(join(dataDir, "slice-*"))].map((folder) => join(folder, "origin"));
}

export function perRecord(seconds: number, cpu: number, records: number): CaughtUp {
  return { seconds, recordsPerSecond: records / seconds, cpuPerRecord: cpu / records };
}
