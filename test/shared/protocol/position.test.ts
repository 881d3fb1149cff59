import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatPosition,
  type Position,
  parsePosition,
  reaches,
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
});
