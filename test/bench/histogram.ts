/** Latencies: recorded in microseconds in each process, to three digits, and merged to as many. */
import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

const SHAPE = {
  lowestDiscernibleValue: 1,
  highestTrackableValue: 600_000_000,
  numberOfSignificantValueDigits: 3,
  bitBucketSize: 32,
  useWebAssembly: false,
} as const;

/** Milliseconds, but for the count. */
export interface Latency {
  readonly count: number;
  readonly mean: number;
  readonly sd: number;
  readonly p50: number;
  readonly p75: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class Latencies {
  readonly #histogram: Histogram = build(SHAPE);

  /** Ten minutes at most; what took longer counts as that. */
  record(us: number): void {
    this.#histogram.recordValue(Math.min(Math.max(1, Math.round(us)), SHAPE.highestTrackableValue));
  }

  add(encoded: string): void {
    this.#histogram.add(decodeFromCompressedBase64(encoded, 32, false));
  }

  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  reset(): void {
    this.#histogram.reset();
  }

  summary(): Latency {
    const { totalCount, mean, stdDeviation, maxValue } = this.#histogram;
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / 1_000;
    return {
      count: totalCount,
      mean: mean / 1_000,
      sd: stdDeviation / 1_000,
      p50: at(50),
      p75: at(75),
      p95: at(95),
      p99: at(99),
      p999: at(99.9),
      max: maxValue / 1_000,
    };
  }
}
