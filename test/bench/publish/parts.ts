/** What all measurements of publishing need. */
import { join } from "node:path";
import type { KafkaBroker } from "../../support/kafka-broker.ts";
import { createTopic } from "../../support/kafka-topics.ts";
import { Latencies, type Latency } from "../histogram.ts";

export const BYTES = 200;
/** By a schedule. */
export const PACED = { bytes: BYTES, perSecond: 200 };

export async function newTopic(kafka: KafkaBroker, name: string, partitions: number): Promise<string> {
  const admin = kafka.client().admin();
  await admin.connect();
  await createTopic(admin, name, partitions);
  await admin.disconnect();
  return name;
}

export function script(name: string): string {
  return join(import.meta.dirname, `${name}.ts`);
}

export function summaryOf(encoded: string): Latency {
  const latencies = new Latencies();
  latencies.add(encoded);
  return latencies.summary();
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
