/**
 * Slices: rules N1–N8 of INTERNALS.md. Origins that share the partitions of the topics divide them by their numbers:
 * slice k of n has each partition p with p mod n = k − 1. One slice, `1/1`, is the usual case.
 */
import { LIMITS } from "./limits.ts";
import { componentsOf, type Position } from "./position.ts";

export interface Slice {
  /** From 1 to `count`. */
  readonly number: number;
  readonly count: number;
}

export const WHOLE: Slice = { number: 1, count: 1 };

/** `k/n`; undefined if the text is no slice, or there are too many of them. */
export function parseSlice(text: string): Slice | undefined {
  const match = /^([1-9][0-9]{0,2})\/([1-9][0-9]{0,2})$/.exec(text);
  const number = Number(match?.[1]);
  const count = Number(match?.[2]);
  return match !== null && number <= count && count <= LIMITS.slices ? { number, count } : undefined;
}

export function formatSlice({ number, count }: Slice): string {
  return `${number}/${count}`;
}

export function isWhole({ count }: Slice): boolean {
  return count === 1;
}

export function hasPartition({ number, count }: Slice, partition: number): boolean {
  return partition % count === number - 1;
}

/** The slice, one of so many, that speaks for an epoch. One that doesn't end with a partition's number is the first's. */
export function sliceOf(epoch: string, count: number): number {
  if (count === 1) return 1;
  const digits = /\.([0-9]+)$/.exec(epoch)?.[1];
  return digits === undefined ? 1 : (Number(digits) % count) + 1;
}

/** The components of a position for which a slice speaks. */
export function within(position: Position, { number, count }: Slice): Position {
  if (count === 1) return position;
  return componentsOf(position, (epoch) => sliceOf(epoch, count) === number);
}
