/** A result for tests. */
import type { Result } from "./bench.ts";

/** What a system of 10 clients would give whose p99 grows with the rate, 1 ms for each update per second. */
export function resultAt(rate: number, changes: Partial<Result> = {}): Result {
  const latency = { count: 1, mean: 1, sd: 0, p50: 1, p75: 1, p95: 1, p99: rate, p999: rate, max: rate };
  return {
    settings: {
      rate,
      warmUpSeconds: 1,
      seconds: 1,
      system: "distributary",
      endpoints: 1,
      clients: 10,
      payload: 512,
      json: false,
      popularity: "even",
      partitions: 1,
      origins: 1,
      processes: 2,
      lingerMs: 1,
      seed: 1,
      brokers: 1,
    },
    watched: 1,
    clients: 10,
    messagesPerSecond: 10 * rate,
    megabytesPerSecond: 0,
    wireBytes: 600,
    latency,
    updatesPerSecond: rate,
    watchedUpdatesPerSecond: rate,
    cpu: { edge: 10, origin: 10, publisher: 10, clients: 10, machine: 40 },
    cpuPerDelivery: { edge: 30, origin: 3 },
    cpuPerUpdate: { edge: 300, origin: 30 },
    connectsPerSecond: 1,
    bytesPerConnection: 0,
    cpuPerConnection: {},
    lost: 0,
    duplicated: 0,
    violations: 0,
    violation: undefined,
    closes: 0,
    close: undefined,
    failed: 0,
    behindMs: 0,
    operations: undefined,
    dollars: undefined,
    ...changes,
  };
}
