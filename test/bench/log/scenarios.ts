/**
 * What is played on a log, after the scenarios and the reporting template that Kafscale publishes
 * (https://github.com/KafScale/platform, benchmarks): any log that speaks Kafka can be set beside one on object storage. Pure.
 */
import type { Latency } from "../histogram.ts";
import { ms, number } from "../report.ts";

export const SCENARIO_NAMES = [
  "hot",
  "backlog",
  "cold",
  "sizes",
  "partitions",
  "consumers",
  "recovery",
] as const;

export type ScenarioName = (typeof SCENARIO_NAMES)[number];

/** One run of a scenario: each has a report of its own. */
export interface Part {
  readonly scenario: ScenarioName;
  readonly topic: string;
  readonly partitions: number;
  readonly bytes: number;
  readonly records: number;
  /** Who read at once. */
  readonly consumers: number;
}

const CONSUMERS = 3;
const SIZES = [1_024, 10_240, 102_400];
const PARTITIONS = [1, 3, 6, 12];
/** Of a run with large records. */
const MOST_BYTES = 64 * 1024 * 1024;

export interface Load {
  readonly partitions: number;
  readonly bytes: number;
  readonly records: number;
}

export function partsOf(scenario: ScenarioName, load: Load): Part[] {
  const part = (more: Partial<Part>): Part => {
    const partitions = more.partitions ?? load.partitions;
    const bytes = more.bytes ?? load.bytes;
    const each = Math.ceil(Math.min(load.records, MOST_BYTES / bytes) / partitions);
    return {
      scenario,
      topic: `bench-${scenario}`,
      consumers: 1,
      ...more,
      bytes,
      partitions,
      records: each * partitions,
    };
  };
  if (scenario === "sizes") return SIZES.map((bytes) => part({ bytes }));
  if (scenario === "partitions")
    return PARTITIONS.map((partitions) => part({ partitions, topic: `bench-${partitions}-partitions` }));
  return [part(scenario === "consumers" ? { consumers: CONSUMERS } : {})];
}

export interface Played {
  readonly part: Part;
  readonly writtenMs: number;
  readonly write: Latency;
  /** Until the slowest consumer had all, and how much all of them read. */
  readonly readMs: number;
  readonly read: number;
  /** From when a record was handed to its write until a consumer had it, if that reads meanwhile. */
  readonly delay: Latency | undefined;
  /** Until the first record came to a consumer that began when all was written. */
  readonly firstMs: number | undefined;
  /** Records that didn't come, came twice, or out of order. */
  readonly wrong: number;
  readonly notes: readonly string[];
}

const WHAT: Readonly<Record<ScenarioName, string>> = {
  hot: "produce, and consume at once (hot path)",
  backlog: "produce a backlog, then consume it from its beginning",
  cold: "produce a backlog, restart the log, then consume it from its beginning (cold read)",
  sizes: "hot path, by message size",
  partitions: "hot path, by number of partitions",
  consumers: "produce a backlog, then several consumers read all of it at once",
  recovery: "consume half of a backlog, then go on with another consumer from there (offset recovery)",
};

/** The published template, filled in. @param health Of the storage, in words. */
export function template({ part, ...played }: Played, health: string): string {
  const { scenario, topic, partitions, bytes, records, consumers } = part;
  const { write, delay, firstMs, wrong, notes } = played;
  const percentiles = ({ p50, p95, p99 }: Latency) => `p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)}`;
  const rate = (count: number, tookMs: number) =>
    `${number((count / tookMs) * 1_000)} msg/s, ${number((count * bytes) / tookMs / 1_000, 2)} MB/s`;
  const latency = [
    `produce ${percentiles(write)}`,
    ...(delay ? [`end to end ${percentiles(delay)}`] : []),
    ...(firstMs === undefined ? [] : [`first record after ${ms(firstMs)}`]),
  ];
  const said = [
    `${number(records)} messages, ${consumers === 1 ? "one consumer" : `${consumers} consumers`}`,
    wrong === 0
      ? "each came once and in order"
      : `WRONG: ${number(wrong)} didn't come, or not once and in order`,
    ...notes,
  ];
  return [
    ["Scenario", WHAT[scenario]],
    ["Topic/Partitions", `${topic} / ${partitions}`],
    ["Message Size", `${number(bytes)} bytes`],
    ["Producer Acks", "all"],
    ["Produce Throughput", rate(records, played.writtenMs)],
    ["Consume Throughput", rate(played.read, played.readMs)],
    ["Latency p95/p99", latency.join("; ")],
    ["S3 Health", health],
    ["Notes", said.join("; ")],
  ]
    .map(([field, text]) => `- **${field}**: ${text}`)
    .join("\n");
}
