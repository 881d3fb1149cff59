/** Repeats a fence in time: what is published touches no coordinator, so that Kafka would forget who holds the partition. */
import { backoff } from "../../shared/core/backoff.ts";
import { SinkError } from "../publish/sink.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** When a fence is to be repeated, and when it is too old, in milliseconds. */
export interface FenceTimes {
  readonly againMs: number;
  readonly oldMs: number;
}

export const FENCE_TIMES: FenceTimes = {
  againMs: TIME_LIMITS.publishFenceMs,
  oldMs: TIME_LIMITS.publishFenceOldMs,
};

export interface FenceNews {
  /** Another has fenced. */
  readonly lost: () => void;
  /** It could not be repeated for too long. */
  readonly old: () => void;
}

/** @param fence Rejects as `markPartition` does. Returns what ends this. */
export function keepFenced(
  fence: () => Promise<void>,
  { againMs, oldMs }: FenceTimes,
  { lost, old }: FenceNews,
): () => void {
  let fencedAt = performance.now();
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const next = (ms: number) => {
    timer = setTimeout(() => void repeat(), ms);
    timer.unref();
  };
  const repeat = async () => {
    try {
      await fence();
      fencedAt = performance.now();
      failures = 0;
    } catch (error) {
      if (error instanceof SinkError && error.code !== "unavailable") return lost();
      failures++;
    }
    if (performance.now() - fencedAt > oldMs) return old();
    const again = backoff(failures - 1, TIME_LIMITS.publishFenceAgain, Math.random());
    if (timer !== undefined) next(failures === 0 ? againMs : again);
  };
  next(againMs);
  return () => {
    clearTimeout(timer);
    timer = undefined;
  };
}
