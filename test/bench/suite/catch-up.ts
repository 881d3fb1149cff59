/**
 * How fast an origin reads what it has missed: a topic of many records, an index that knows nothing of it, then one
 * that knows all, beside kafkajs's consumer on the same topic.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Deployment } from "../../support/deployment.ts";
import { createTopic, deleteTopic } from "../../support/kafka-topics.ts";
import { nowUs } from "../clock.ts";
import type { Consumed } from "../floor/consumer.ts";
import { Clients } from "../load/load.ts";
import { Payloads } from "../load/payload.ts";
import { openSink } from "../load/sinks.ts";
import { cpuUs } from "../proc.ts";
import { BASE, type Context } from "./context.ts";

/** From the start of its process. */
export interface CaughtUp {
  readonly seconds: number;
  readonly recordsPerSecond: number;
  /** Microseconds of CPU. */
  readonly cpuPerRecord: number;
}

export interface CatchUp {
  readonly records: number;
  readonly keys: number;
  readonly watched: number;
  readonly payload: number;
  /** An origin without an index, until it is ready. */
  readonly cold: CaughtUp;
  /** One whose index holds everything. */
  readonly warmSeconds: number;
  readonly consumer: CaughtUp & { readonly readingSeconds: number };
  /** Records per second of the origin, as a share of the consumer's. */
  readonly share: number;
}

const KEYS = 10_000;
const BATCH = 1_000;
const AT_ONCE = 4;

export async function catchUp({ kafka, progress, scale }: Context): Promise<CatchUp> {
  const records = Math.max(BATCH, Math.round((1_000_000 * scale) / BATCH) * BATCH);
  const { payload, partitions } = BASE;
  const topic = `catch-up-${process.pid}`;
  const watched = KEYS / 100;
  const admin = kafka.client().admin();
  await admin.connect();
  await createTopic(admin, topic, partitions);
  try {
    progress(`writing ${records} records`);
    await fill(kafka.brokers, topic, records, payload);
    progress("reading them with kafkajs's consumer");
    const consumer = await consume(kafka.brokers, topic, records);
    progress("reading them with an origin");
    const origin = await startOrigins(topic, kafka.bootstrap, watched);
    const cold = perRecord(origin.cold.seconds, origin.cold.cpu, records);
    const share = cold.recordsPerSecond / consumer.recordsPerSecond;
    return { records, keys: KEYS, watched, payload, cold, warmSeconds: origin.warm.seconds, consumer, share };
  } finally {
    await deleteTopic(admin, topic);
    await admin.disconnect();
  }
}

async function fill(
  brokers: readonly string[],
  topic: string,
  records: number,
  bytes: number,
): Promise<void> {
  const payloads = new Payloads(bytes, false);
  const sink = await openSink({ kind: "kafka", brokers, topic }, KEYS);
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

async function consume(brokers: readonly string[], topic: string, records: number) {
  const since = nowUs();
  const script = join(import.meta.dirname, "../floor/consumer.ts");
  const child = fork(script, [brokers.join(","), topic, String(records)]);
  const ended = once(child, "exit");
  const [consumed] = (await Promise.race([
    once(child, "message"),
    ended.then(() => Promise.reject(new Error("the consumer ended"))),
  ])) as [Consumed];
  const seconds = (nowUs() - since) / 1e6;
  child.kill("SIGKILL");
  await ended;
  return { ...perRecord(seconds, consumed.cpuUs, records), readingSeconds: consumed.readingMs / 1_000 };
}

/**
 * An origin with an index of everything; then one whose index is gone, while clients wait for it. (The first start makes
 * the index, and is not measured.)
 */
async function startOrigins(topic: string, bootstrap: string, watched: number) {
  const deployment = await Deployment.start({
    topics: { [topic]: {} },
    originEnv: { KAFKA_BROKERS: bootstrap },
  });
  const clients = new Clients({
    url: deployment.url,
    topic,
    assignment: Array.from({ length: watched }, (_, i) => i),
    processes: 1,
    verdicts: true,
    first: undefined,
  });
  const start = async () => {
    const since = nowUs();
    deployment.origin = deployment.startOrigin();
    await deployment.ready();
    return { seconds: (nowUs() - since) / 1e6, cpu: cpuUs(deployment.origin.process.pid ?? 0) };
  };
  try {
    await deployment.origin?.stop();
    const warm = await start();
    await deployment.origin?.stop();
    for (const file of readdirSync(join(deployment.dataDir, "origin")))
      if (file.startsWith("index")) rmSync(join(deployment.dataDir, "origin", file));
    const live = clients.connect();
    const cold = await start();
    await live;
    return { cold, warm };
  } finally {
    await clients.stop();
    await deployment.stop();
  }
}

function perRecord(seconds: number, cpu: number, records: number): CaughtUp {
  return { seconds, recordsPerSecond: records / seconds, cpuPerRecord: cpu / records };
}
