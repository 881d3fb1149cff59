/** Series of runs in which one thing changes. Pure. */
import type { BenchSettings, StageSettings } from "./bench.ts";

export interface Point {
  readonly bench: BenchSettings;
  readonly stage: StageSettings;
}

export const SWEEP_NAMES = ["payload", "subscribers", "endpoints", "partitions", "origins"] as const;

export type SweepName = (typeof SWEEP_NAMES)[number];

/** Deliveries per second that a point of `subscribers` has, so that its CPU can be measured and nothing saturates. */
const DELIVERIES = 6_000;
/** Bytes per second at most. */
const BYTES = 40e6;

export const SWEEPS: Readonly<Record<SweepName, (base: Point) => Point[]>> = {
  /** 64 bytes to 100 KB, to as many clients; fewer updates where they would be too many bytes. */
  payload: ({ bench, stage }) =>
    [64, 512, 4_096, 32_768, 102_400].map((payload) => {
      const most = BYTES / payload / bench.clients;
      return { bench: { ...bench, payload }, stage: { ...stage, rate: Math.min(stage.rate, most) } };
    }),
  /** 1 to 5,000 subscribers of each endpoint, at the same number of deliveries. */
  subscribers: ({ bench, stage }) =>
    [1, 10, 100, 1_000, 5_000].map((each) => {
      const endpoints = Math.max(1, Math.min(100, Math.floor(5_000 / each)));
      return {
        bench: { ...bench, endpoints, clients: endpoints * each, popularity: "even" },
        stage: { ...stage, rate: Math.min(20, DELIVERIES / (endpoints * each)) },
      };
    }),
  /** 10 to 3,000 endpoints with one subscriber each, at the same number of updates. */
  endpoints: ({ bench, stage }) =>
    [10, 100, 1_000, 3_000].map((endpoints) => ({
      bench: { ...bench, endpoints, clients: endpoints, popularity: "even" },
      stage: { ...stage, rate: 1_000 / endpoints },
    })),
  partitions: ({ bench, stage }) =>
    [1, 3, 6, 12].map((partitions) => ({ bench: { ...bench, partitions }, stage })),
  /** 1, 2 and 4 origins that share 12 partitions. */
  origins: ({ bench, stage }) =>
    [1, 2, 4].map((origins) => ({ bench: { ...bench, origins, partitions: 12 }, stage })),
};
