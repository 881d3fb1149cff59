import { expect, test } from "vitest";
import { NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import {
  formatSlice,
  hasPartition,
  parseSlice,
  sliceOf,
  WHOLE,
  within,
} from "../../../shared/protocol/slice.ts";

test("[N1] a slice is k/n, with 1 ≤ k ≤ n ≤ 64", () => {
  for (const text of ["1/1", "1/4", "4/4", "64/64"])
    expect(formatSlice(parseSlice(text) ?? WHOLE)).toBe(text);
  for (const text of ["", "0/1", "2/1", "1/65", "1", "a/b", "1/04", "1/2 ", "-1/2"])
    expect(parseSlice(text), text).toBeUndefined();
});

test("[N1] every partition is in exactly one slice of each count", () => {
  for (const count of [1, 2, 3, 4, 64])
    for (let partition = 0; partition < 200; partition++) {
      const numbers = Array.from({ length: count }, (_, i) => i + 1);
      const having = numbers.filter((number) => hasPartition({ number, count }, partition));
      expect(having).toEqual([sliceOf(`Zk3x9Q.${partition}`, count)]);
    }
});

test("[N3] of a position a slice judges the components of its own partitions, and the first those of no partition", () => {
  const position = parsePosition("t.0:1,t.1:2,t.6:3,odd:4") ?? NOTHING;

  expect(within(position, { number: 1, count: 2 })).toEqual(parsePosition("t.0:1,t.6:3,odd:4"));
  expect(within(position, { number: 2, count: 2 })).toEqual(parsePosition("t.1:2"));
  expect(within(position, WHOLE)).toBe(position);
});
