import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterTaking,
  componentsOf,
  formatPosition,
  hasEpochsOf,
  isAfter,
  later,
  lower,
  merge,
  offsetIn,
  type Position,
  parseLongPosition,
  parsePosition,
  raise,
  raiseComponent,
  reaches,
  sameEpochs,
  samePosition,
  withComponent,
} from "../../../shared/protocol/position.ts";

const position = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[A-Za-z0-9_.-]{1,32}$/), fc.maxSafeNat()), {
    selector: ([epoch]) => epoch,
    maxLength: 6,
  })
  .map((components): Position => new Map(components));

describe("positions", () => {
  test("[P2] a position has one text form, whatever the order of its components", () => {
    expect(
      formatPosition(
        new Map([
          ["b.1", 5],
          ["a.0", 1041],
        ]),
      ),
    ).toBe("a.0:1041,b.1:5");
    expect(formatPosition(new Map())).toBe("-");
    fc.assert(
      fc.property(position, (p) => {
        const text = formatPosition(p);
        expect(formatPosition(new Map([...p].reverse()))).toBe(text);
        const read = parsePosition(text);
        expect(read && samePosition(read, p)).toBe(true);
      }),
    );
  });

  test.each([
    "",
    " ",
    "a",
    "a:",
    ":1",
    "a:-1",
    "a:01",
    "a:1.5",
    "a:1e3",
    "a:1,",
    ",a:1",
    "a:1,a:2",
    "a:1 ,b:2",
    "a:9007199254740992",
    "a:99999999999999999",
    `${"e".repeat(33)}:1`,
    "é:1",
    "-,a:1",
    "a:1\n",
    Array.from({ length: 65 }, (_, i) => `e${i}:1`).join(","),
  ])("[P1] [P2] %j is no position", (text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  test("[P1] the largest offset and 64 components are a position", () => {
    expect(parsePosition("a:9007199254740991")?.get("a")).toBe(Number.MAX_SAFE_INTEGER);
    expect(parsePosition(Array.from({ length: 64 }, (_, i) => `e${i}:1`).join(","))?.size).toBe(64);
  });

  test("any text is read or refused, without an exception", () => {
    fc.assert(
      fc.property(
        fc.string(),
        (text) =>
          parsePosition(text) === undefined || formatPosition(parsePosition(text) ?? new Map()).length > 0,
      ),
    );
  });

  test("[P3] a missing epoch stands at -1: everything reaches nothing, and nothing reaches less than all", () => {
    const one: Position = new Map([["a", 0]]);
    expect(reaches(one, new Map())).toBe(true);
    expect(reaches(new Map(), one)).toBe(false);
    expect(
      reaches(
        new Map([
          ["a", 3],
          ["b", 1],
        ]),
        new Map([["a", 3]]),
      ),
    ).toBe(true);
    expect(
      reaches(
        new Map([["a", 3]]),
        new Map([
          ["a", 3],
          ["b", 1],
        ]),
      ),
    ).toBe(false);
  });

  test("[P3] taking a component away leaves the others", () => {
    const p: Position = new Map([
      ["a", 3],
      ["b", 1],
    ]);
    expect(formatPosition(withComponent(p, "a", undefined))).toBe("b:1");
    expect(formatPosition(withComponent(p, "a", 9))).toBe("a:9,b:1");
    expect(formatPosition(p)).toBe("a:3,b:1");
  });

  // Few epochs and offsets, so that two of them often have some in common.
  const small = fc
    .uniqueArray(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.nat(4)), { selector: ([epoch]) => epoch })
    .map((components): Position => new Map(components));

  test("[P3] the later of two is the least position that reaches both, and raising leads there", () => {
    fc.assert(
      fc.property(small, small, small, (a, b, c) => {
        const both = later(a, b);
        expect(reaches(both, a) && reaches(both, b)).toBe(true);
        if (reaches(c, a) && reaches(c, b)) expect(reaches(c, both)).toBe(true);
        expect(samePosition(both, later(b, a))).toBe(true);
        const raised = new Map(a);
        raise(raised, b);
        expect(raised).toEqual(both);
      }),
    );
  });

  test("[P3] the lower of two is the furthest position that both reach", () => {
    fc.assert(
      fc.property(small, small, small, (a, b, c) => {
        const both = lower(a, b);
        expect(reaches(a, both) && reaches(b, both)).toBe(true);
        if (reaches(a, c) && reaches(b, c)) expect(reaches(both, c)).toBe(true);
        expect(samePosition(both, lower(b, a))).toBe(true);
      }),
    );
  });

  test("[P3] a record lies after a position if and only if taking it leads further", () => {
    fc.assert(
      fc.property(small, fc.constantFrom("a", "e"), fc.nat(4), (p, epoch, offset) => {
        const isNew = offset > offsetIn(p, epoch);
        expect(isAfter({ epoch, offset }, p)).toBe(isNew);
        const raised = new Map(p);
        raiseComponent(raised, epoch, offset);
        expect(samePosition(raised, p)).toBe(!isNew);
        expect(raised).toEqual(later(p, new Map([[epoch, offset]])));
        expect(offsetIn(afterTaking(p, [{ epoch, offset }]), epoch)).toBe(offset);
      }),
    );
  });

  test("[P3] merging takes the other's word in its epochs, and leaves the rest", () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        const merged = new Map(a);
        merge(merged, b);
        for (const epoch of ["a", "b", "c", "d"])
          expect(merged.get(epoch)).toBe(b.has(epoch) ? b.get(epoch) : a.get(epoch));
      }),
    );
  });

  test("[P3] two positions have the same epochs if each has those of the other", () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        expect(sameEpochs(a, b)).toBe(hasEpochsOf(a, b) && hasEpochsOf(b, a));
        expect(hasEpochsOf(a, b)).toBe([...b.keys()].every((epoch) => a.has(epoch)));
        const common = componentsOf(a, (epoch) => b.has(epoch));
        expect(sameEpochs(common, lower(a, b)) && reaches(a, common)).toBe(true);
      }),
    );
  });
});

test("[P2] servers read of each other positions of any length, and refuse what else is no position", () => {
  const long = new Map(Array.from({ length: 1_000 }, (_, i) => [`x.${i}`, i] as const));

  expect(parseLongPosition(formatPosition(long))).toEqual(long);
  expect(parsePosition(formatPosition(long))).toBeUndefined();
  expect(["x:1,x:2", "x", "", "x:1,"].map(parseLongPosition)).toEqual(Array(4).fill(undefined));
});
