import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IndexedRecord } from "../../../origin/index/record.ts";
import { kindOfStored, travelling } from "../../../origin/index/travelling.ts";
import { frameOf } from "../../../origin/watch/record-frame.ts";
import { endpointPath } from "../../../shared/protocol/address.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** The largest head that a frame can have. */
const path = endpointPath("t".repeat(249), Buffer.alloc(LIMITS.keyBytes, 255));
const known = {
  ...{
    epoch: "e".repeat(32),
    offset: Number.MAX_SAFE_INTEGER,
    arrival: 0,
    timestamp: Number.MAX_SAFE_INTEGER,
  },
  ...{ previous: Number.MAX_SAFE_INTEGER, key: Buffer.from("k") },
};
const frameBytes = (record: IndexedRecord) => {
  const frame = frameOf(path, record, record.previous);
  return Buffer.byteLength(frame);
};

describe("[F8] what is decided when a record comes", () => {
  const room = LIMITS.frameBytes - 4 * KIB;

  test.each([
    ["a value", 0, 8 * MIB, false],
    ["a value of one byte more", 0, 8 * MIB + 1, true],
  ])("%s of %i control characters and %i bytes is left out: %s", (_, escaped, bytes, isLeftOut) => {
    const value = Buffer.alloc(bytes, "x").fill(1, 0, escaped);
    expect(travelling({ value, headers: [] }).kind === "omitted").toBe(isLeftOut);
  });

  test("a text travels if it fits with its escapes, to the byte", () => {
    const escaped = Math.floor(room / 6);
    const fitting = Buffer.alloc(escaped + (room % 6), 1).fill("x", escaped);
    const larger = Buffer.concat([fitting, Buffer.from("x")]);

    expect(travelling({ value: fitting, headers: [] }).kind).toBe("text");
    expect(travelling({ value: larger, headers: [] })).toMatchObject({
      kind: "omitted",
      value: { omitted: larger.length },
    });
  });

  test("no frame is larger than a frame may be, whatever value and headers are, and none of them is left out in vain", () => {
    const bytes = fc
      .tuple(fc.constantFrom(1, 0x22, 0x0a, 0x78, 0xff), fc.integer({ min: 0, max: 8 * MIB + 1 }))
      .map(([byte, length]) => Buffer.alloc(length, byte));
    fc.assert(
      fc.property(
        bytes,
        fc.array(fc.tuple(fc.constant("a"), fc.option(bytes)), { maxLength: 2 }),
        (value, headers) => {
          const decided = travelling({ value, headers });

          expect(frameBytes({ ...known, ...decided })).toBeLessThanOrEqual(LIMITS.frameBytes);
          if (decided.headersOmitted === undefined) return;
          const whole = { ...known, ...decided, headers, headersOmitted: undefined };
          expect(frameBytes(whole)).toBeGreaterThan(room - 4 * KIB);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("what is left out isn't held", () => {
    const headers = [["a", Buffer.alloc(17 * MIB)]] as const;

    expect(travelling({ value: Buffer.alloc(8 * MIB, 1), headers })).toEqual({
      ...{ kind: "omitted", value: { omitted: 8 * MIB } },
      ...{ headers: [], headersOmitted: 17 * MIB + 1 },
    });
  });
});

describe("[F3] what a value is", () => {
  const large = 64 * KIB + 1;

  test.each([
    ["json", Buffer.from(`"${"x".repeat(large - 2)}"`)],
    ["text", Buffer.from("[".repeat(large))],
    ["bytes", Buffer.alloc(large, 255)],
  ] as const)("is decided of a large one, here %s, when it comes, and never again", (kind, value) => {
    expect(travelling({ value, headers: [] })).toMatchObject({ kind, value });

    const others = (["json", "text", "bytes"] as const).filter((other) => other !== kind);
    for (const other of others) expect(kindOfStored(other, value)).toBe(other);
  });

  test("is told of a small one by its bytes", () => {
    const { kind, value } = travelling({ value: Buffer.from("[1]"), headers: [] });

    expect(kind).toBeUndefined();
    expect(kindOfStored(kind, value)).toBe("json");
  });
});
