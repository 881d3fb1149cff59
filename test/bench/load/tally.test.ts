import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tally } from "./tally.ts";

function tally(first: number | undefined, sequences: readonly number[]): Tally {
  const one = new Tally(first);
  for (const sequence of sequences) one.take(sequence);
  return one;
}

describe("a tally", () => {
  test("of all updates in order finds none lost and none doubled", () => {
    const all = tally(0, [0, 1, 2, 3]);

    expect([all.lost(4), all.duplicated]).toEqual([0, 0]);
  });

  test("counts what is missing at the beginning, in between and at the end", () => {
    expect(tally(0, [1, 2]).lost(3)).toBe(1);
    expect(tally(0, [0, 3]).lost(4)).toBe(2);
    expect(tally(0, [0, 1]).lost(4)).toBe(2);
    expect(tally(0, []).lost(4)).toBe(4);
  });

  test("of a client that came in the middle counts from its first update", () => {
    expect(tally(undefined, [7, 8, 10]).lost(11)).toBe(1);
    expect(tally(undefined, []).lost(11)).toBe(0);
  });

  test("counts each repetition, and an update that is only late as neither", () => {
    expect(tally(0, [0, 1, 1, 0, 1]).duplicated).toBe(3);
    const late = tally(0, [0, 2, 1, 3]);
    expect([late.lost(4), late.duplicated]).toEqual([0, 0]);
  });

  test("goes on with the next publisher's numbers, and keeps what the last one's lack", () => {
    const one = new Tally(undefined);
    for (const sequence of [7, 9]) one.take(sequence, 1);
    for (const sequence of [0, 1, 1]) one.take(sequence, 2);

    expect([one.lost(0), one.duplicated]).toEqual([1, 1]);
  });

  test("is exact, whatever is lost, repeated and out of order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 80 }), (sequences) => {
        const all = tally(0, sequences);
        const distinct = new Set(sequences).size;

        expect(all.lost(31)).toBe(31 - distinct);
        expect(all.duplicated).toBe(sequences.length - distinct);
      }),
    );
  });
});
