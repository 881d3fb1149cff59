/** Where an origin stands, for its log. */
import type { IndexFacts } from "./index/views.ts";
import type { Partition } from "./partitions.ts";

export interface Status {
  /** Every partition has been read to the end that it had at start. */
  readonly ready: boolean;
  readonly partitions: readonly Partition[];
  /** Endpoints. */
  readonly watched: number;
  /** Records that have no endpoint (A5), and values that don't travel (F8), since their partitions were begun. */
  readonly keyless: number;
  readonly keyTooLong: number;
  readonly omitted: number;
}

/** More partitions than this aren't listed one by one. */
const LISTED = 8;

export function statusOf(
  partitions: readonly Partition[],
  ready: boolean,
  watched: number,
  facts: IndexFacts,
): Status {
  let keyless = 0;
  let keyTooLong = 0;
  let omitted = 0;
  for (const one of facts.partitions) {
    keyless += one.keyless;
    keyTooLong += one.keyTooLong;
    omitted += one.omitted;
  }
  return { ready, partitions, watched, keyless, keyTooLong, omitted };
}

/** In short: numbers, and the partitions that need attention. */
export function summarize({ partitions, ...rest }: Status): Record<string, unknown> {
  const unready = partitions.filter(({ ready }) => !ready);
  const failing = partitions.filter(({ error }) => error !== undefined);
  return {
    ...rest,
    partitions: partitions.length,
    unready: list(unready, ({ next, end }) => `at ${next} of ${end}`),
    failing: list(failing, ({ error }) => error ?? ""),
  };
}

/** undefined where there is nothing to list, which leaves the field out. */
function list(
  partitions: readonly Partition[],
  detail: (partition: Partition) => string,
): string[] | undefined {
  if (partitions.length === 0) return undefined;
  const shown = partitions.slice(0, LISTED).map((one) => `${one.topic}/${one.partition} ${detail(one)}`);
  const more = partitions.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more`] : shown;
}

/** Whether people should look at it though nothing has just changed. */
export function needsAttention({ ready, partitions }: Status): boolean {
  return !ready || partitions.some(({ error }) => error !== undefined);
}
