/** The series that are parts of the suite: what changes in each, and what it is called. Pure. */
import type { Result } from "../bench.ts";

export interface Series {
  readonly field: "payload" | "subscribers" | "endpoints" | "partitions";
  readonly title: string;
  readonly unit: string;
  readonly plot: string;
  /** What its plot calls the values. */
  readonly axis: string;
  /** Where the values grow by factors. */
  readonly log: boolean;
  readonly of: (result: Result) => number;
}

export const SERIES: readonly Series[] = [
  {
    field: "payload",
    title: "Size of an update",
    unit: "bytes",
    plot: "Latency by size of the update",
    axis: "bytes of an update",
    log: true,
    of: ({ settings }) => settings.payload,
  },
  {
    field: "subscribers",
    title: "Subscribers of an endpoint",
    unit: "subscribers",
    plot: "Latency by number of subscribers of an endpoint",
    axis: "subscribers per endpoint",
    log: true,
    of: ({ settings }) => settings.clients / settings.endpoints,
  },
  {
    field: "endpoints",
    title: "Endpoints",
    unit: "endpoints",
    plot: "Latency by number of endpoints",
    axis: "endpoints, one subscriber each",
    log: true,
    of: ({ settings }) => settings.endpoints,
  },
  {
    field: "partitions",
    title: "Partitions",
    unit: "partitions",
    plot: "Latency by number of partitions",
    axis: "partitions",
    log: false,
    of: ({ settings }) => settings.partitions,
  },
];
