/** What was read again from the log for the gaps of an index (R7), and how one reading goes on where another ended. Pure. */
import type { IndexedRecord } from "../index/record.ts";
import type { Gap } from "./proof.ts";

/** What the log holds of one key in a gap. */
export interface Replayed {
  readonly gap: Gap;
  /** Oldest first. */
  readonly records: readonly IndexedRecord[];
  /** Whether the gap has no more than these; else it was cut off after the last of them. */
  readonly whole: boolean;
}

type Before = readonly Replayed[] | undefined;

/** Whether what was read leaves none of the gaps open. */
export function isFilled(gaps: readonly Gap[], replayed: Before): boolean {
  return gaps.every(({ epoch, until }) =>
    replayed?.some(({ gap, whole }) => gap.epoch === epoch && (gap.until >= until || !whole)),
  );
}

/** What of a gap was not read before. */
export function leftOf(gap: Gap, before: Before): Gap {
  const read = before?.find((other) => isBeginningOf(other, gap));
  return read === undefined ? gap : { ...gap, after: read.gap.until - 1 };
}

/** With what was read before it. */
export function joined(more: Replayed, before: Before): Replayed {
  const read = before?.find(({ gap, whole }) => {
    return whole && gap.epoch === more.gap.epoch && gap.until - 1 === more.gap.after;
  });
  if (read === undefined) return more;
  const previous = read.records.at(-1)?.offset;
  const [first, ...others] = more.records;
  const next = first === undefined ? [] : [{ ...first, previous }, ...others];
  return {
    gap: { ...more.gap, after: read.gap.after },
    records: [...read.records, ...next],
    whole: more.whole,
  };
}

/** Whether what was read is the beginning of this gap, which has grown since. */
function isBeginningOf({ gap, whole }: Replayed, grown: Gap): boolean {
  return whole && gap.epoch === grown.epoch && gap.after === grown.after && gap.until < grown.until;
}
