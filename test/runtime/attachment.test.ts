/** What is attached to a socket on Node: what is plain is kept otherwise than the rest, and nobody can tell. */
import { deserialize, serialize } from "node:v8";
import fc from "fast-check";
import { expect, test } from "vitest";
import { attachmentOf, copyOf } from "../../edge/runtime/node/sockets/attachment.ts";

const twice = { a: 1 };
const UNUSUAL: readonly unknown[] = [
  undefined,
  -0,
  Number.NaN,
  { a: undefined },
  [1, undefined],
  // biome-ignore lint/suspicious/noSparseArray: it is what is tested
  [1, , 3],
  Object.assign([1, 2], { more: 3 }),
  { a: twice, b: twice },
  new Date(5),
  new Map([[1, 2]]),
  new Uint8Array([1, 2]),
  10n,
  { toString: "own", ["__proto__"]: 1 },
  "\ud800",
];

test.each(UNUSUAL)("it is a structured clone of what JSON can't hold, %#", (value) => {
  expect(copyOf(attachmentOf(value))).toStrictEqual(deserialize(serialize(value)));
});

test("it is a structured clone of whatever is plain", () => {
  const plain = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(plain, (value) => {
      expect(copyOf(attachmentOf(value))).toStrictEqual(deserialize(serialize(value)));
    }),
  );
});

test("what is there twice is there once in its copy, and a circle is one", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const both = copyOf(attachmentOf([twice, twice])) as readonly unknown[];
  const copied = copyOf(attachmentOf(circle)) as typeof circle;

  expect(both[0]).toBe(both[1]);
  expect(copied.self).toBe(copied);
});

test("what is as large as may be fits whatever it is made of, and nothing larger", () => {
  const fitting = [
    "x".repeat(16_379),
    "é".repeat(16_379),
    "€".repeat(8_188),
    Array.from({ length: 8_000 }, () => 1),
    { a: "x".repeat(16_000), b: [true, null, 1.5] },
  ];
  for (const value of fitting) {
    expect(serialize(value).length).toBeLessThanOrEqual(16_384);
    expect(copyOf(attachmentOf(value))).toEqual(value);
  }
  for (const value of ["x".repeat(16_380), "€".repeat(8_200), Array.from({ length: 9_000 }, () => 1)])
    expect(() => attachmentOf(value)).toThrow("larger than 16384 bytes");
});
