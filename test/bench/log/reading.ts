/** A consumer of a scenario: what an origin reads a log with, on connections of its own. */
import { KafkaSource } from "../../../origin/kafka/source.ts";
import { isAvailable, type PartitionInfo } from "../../../origin/source/source.ts";
import { eventually } from "../../support/deadline.ts";
import { Latencies, type Latency } from "../histogram.ts";
import { readValue } from "./record.ts";

/** For a log that is asked for the first time, or has just been restarted. */
const DESCRIBED_MS = 60_000;
/** What has not come by then doesn't. */
const READ_MS = 300_000;

/** Where a scenario's records of a partition begin, and how many there are of them. */
export interface Span {
  readonly partition: number;
  readonly epoch: string;
  readonly from: number;
  /** The number of the first record there. */
  readonly first: number;
  readonly count: number;
}

export interface Consumed {
  readonly tookMs: number;
  /** Until the first record of all was there. */
  readonly firstMs: number;
  readonly delay: Latency;
  readonly read: number;
  readonly wrong: number;
}

/** The partitions of a topic, which must be there. */
export async function described(
  brokers: readonly string[],
  topic: string,
): Promise<readonly PartitionInfo[]> {
  const source = new KafkaSource({ brokers, clientId: "bench" });
  try {
    return await eventually(
      async () => {
        const partitions = (await source.describe(topic)) ?? [];
        const infos = partitions.filter(isAvailable);
        return infos.length > 0 && infos.length === partitions.length && infos;
      },
      `the log tells of ${topic}`,
      DESCRIBED_MS,
    );
  } finally {
    await source.close();
  }
}

/** Resolves when all has come, or nothing more does. */
export async function consume(
  brokers: readonly string[],
  topic: string,
  spans: readonly Span[],
): Promise<Consumed> {
  const source = new KafkaSource({ brokers, clientId: "bench" });
  const delays = new Latencies();
  const began = performance.now();
  let firstAt: number | undefined;
  let read = 0;
  let wrong = 0;
  const readOne = async ({ partition, epoch, from, first, count }: Span) => {
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, AbortSignal.timeout(READ_MS)]);
    let next = first;
    if (count === 0) return;
    await source.read({ topic, partition, epoch, from, signal }, ({ records }) => {
      const now = performance.now();
      for (const { value } of records) {
        if (next >= first + count) break;
        const said = readValue(value);
        if (said === undefined) {
          wrong++;
          continue;
        }
        const { sequence, writtenAt } = said;
        if (sequence !== next) wrong++;
        next = sequence + 1;
        delays.record((now - writtenAt) * 1_000);
        read++;
      }
      if (records.length > 0) firstAt ??= now;
      if (next >= first + count) done.abort();
    });
    wrong += Math.max(0, first + count - next);
  };
  try {
    await Promise.all(spans.map(readOne));
  } finally {
    await source.close();
  }
  const now = performance.now();
  return { tookMs: now - began, firstMs: (firstAt ?? now) - began, delay: delays.summary(), read, wrong };
}
