import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classify } from "../../../shared/core/continuity.ts";
import type { Position } from "../../../shared/protocol/position.ts";

const at = (offset: number): Position => (offset < 0 ? new Map() : new Map([["a", offset]]));
const update = (offset: number, previous: number | undefined) => ({ epoch: "a", offset, previous });

describe("[P5] the rule of continuity", () => {
  test.each([
    [5, 9, 5, "next"],
    [5, 9, 3, "next"],
    [5, 9, undefined, "next"],
    [5, 9, 6, "gap"],
    [5, 5, 3, "duplicate"],
    [5, 4, undefined, "duplicate"],
    [-1, 0, undefined, "next"],
    [-1, 9, 0, "gap"],
  ] as const)("a receiver at %i takes an update %i after %s for: %s", (p, offset, previous, expected) => {
    expect(classify(at(p), update(offset, previous))).toBe(expected);
  });

  test("each epoch is judged by itself", () => {
    const position: Position = new Map([
      ["a", 100],
      ["b", 5],
    ]);
    expect(classify(position, { epoch: "b", offset: 6, previous: 5 })).toBe("next");
    expect(classify(position, { epoch: "c", offset: 0, previous: undefined })).toBe("next");
    expect(classify(position, { epoch: "c", offset: 9, previous: 3 })).toBe("gap");
  });

  test("however deliveries are lost, repeated and shuffled, what is taken is a run without holes and without repeats", () => {
    const history = fc
      .uniqueArray(fc.nat(1_000), { minLength: 1, maxLength: 30 })
      .map((offsets) => offsets.sort((a, b) => a - b));
    fc.assert(
      fc.property(history, fc.array(fc.nat(29), { maxLength: 120 }), (offsets, deliveries) => {
        let position: Position = new Map();
        const taken: number[] = [];

        for (const index of deliveries) {
          const offset = offsets[index % offsets.length] ?? 0;
          const previous = offsets[(index % offsets.length) - 1];
          if (classify(position, update(offset, previous)) !== "next") continue;
          position = at(offset);
          taken.push(offset);
        }

        expect(taken).toEqual(offsets.slice(0, taken.length));
      }),
    );
  });
});
