/** Writes a scenario's records, each partition's one request after the other, as fast as the log acknowledges them. */
import { Cluster } from "../../../origin/kafka/cluster.ts";
import { produceRequest } from "../../../origin/kafka/produce-requests.ts";
import { producedBatch } from "../../../origin/kafka/produced-batch.ts";
import { Latencies, type Latency } from "../histogram.ts";
import { recordValue } from "./record.ts";
import type { Part } from "./scenarios.ts";

const OF_A_REQUEST = { records: 100, bytes: 256 * 1024 };
/** A plain producer: logs on object storage know no other. */
const UNNUMBERED = { producerId: -1, producerEpoch: -1, sequence: -1 };
const WAITS = { timeoutMs: 30_000, silenceMs: 60_000 };
const KEYS = 1_000;

export interface Written {
  readonly tookMs: number;
  readonly latency: Latency;
}

/** Rejects with what the log says if it refuses them. */
export async function write(brokers: readonly string[], part: Part): Promise<Written> {
  const { topic, partitions, records, bytes } = part;
  const cluster = new Cluster({ brokers, clientId: "bench" });
  try {
    const { id, hasOwnId, partitions: led } = await cluster.topic(topic);
    const latencies = new Latencies();
    const each = records / partitions;
    const atOnce = Math.max(1, Math.min(OF_A_REQUEST.records, Math.floor(OF_A_REQUEST.bytes / bytes)));
    const began = performance.now();
    await Promise.all(
      led.slice(0, partitions).map(async ({ partition, leader }) => {
        const connection = cluster.dial(leader);
        try {
          for (let at = 0; at < each; at += atOnce) {
            const count = Math.min(atOnce, each - at);
            const batch = Array.from({ length: count }, (_, i) => ({
              key: Buffer.from(`k${(at + i) % KEYS}`),
              value: recordValue(bytes, at + i),
              headers: [],
            }));
            const to = { topic, topicId: hasOwnId ? id : undefined, partition };
            const asked = performance.now();
            const { error, words = "" } = await connection.send(
              produceRequest(to, producedBatch(batch, UNNUMBERED, Date.now()), WAITS),
            );
            if (error !== 0)
              throw new Error(`the log refuses records of ${topic} with code ${error} ${words}`.trim());
            latencies.record((performance.now() - asked) * 1_000);
          }
        } finally {
          connection.close();
        }
      }),
    );
    return { tookMs: performance.now() - began, latency: latencies.summary() };
  } finally {
    cluster.close();
  }
}
