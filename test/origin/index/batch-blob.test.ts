import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BatchBlob, blobBytes, packBatch } from "../../../origin/index/batch-blob.ts";
import { IndexError } from "../../../origin/index/error.ts";
import type { IndexedRecord } from "../../../origin/index/record.ts";

const blob = fc.uint8Array({ maxLength: 40 });
const value = fc.oneof(
  fc.record({
    kind: fc.constantFrom(undefined, "json" as const, "text" as const, "bytes" as const),
    value: blob,
  }),
  fc.constant({ kind: "tombstone" as const, value: null }),
  fc.integer({ min: 0, max: 2 ** 31 }).map((omitted) => ({ kind: "omitted" as const, value: { omitted } })),
);
const headers = fc.oneof(
  fc.record({
    headers: fc.array(fc.tuple(fc.string({ unit: "binary", maxLength: 8 }), fc.option(blob)), {
      maxLength: 3,
    }),
    headersOmitted: fc.constant(undefined),
  }),
  fc.record({ headers: fc.constant([]), headersOmitted: fc.integer({ min: 0, max: 2 ** 31 }) }),
);
const body = fc.record({
  step: fc.integer({ min: 1, max: 2 ** 40 }),
  previous: fc.option(fc.nat(), { nil: undefined }),
  wait: fc.integer({ min: 1, max: 1000 }),
  timestamp: fc.option(fc.integer({ min: 0, max: 2 ** 50 }), { nil: undefined }),
  key: blob,
  value,
  headers,
});

const records = fc
  .tuple(fc.nat({ max: 2 ** 50 - 1 }), fc.array(body, { minLength: 1, maxLength: 12 }))
  .map(([first, bodies]): IndexedRecord[] => {
    let offset = first;
    let arrival = first;
    return bodies.map(({ step, wait, value, headers, ...rest }) => {
      offset += step;
      arrival += wait;
      return { epoch: "e", offset, arrival, ...rest, ...value, ...headers };
    });
  });

function pack(of: readonly IndexedRecord[]): Uint8Array {
  return packBatch(of, Buffer.alloc(blobBytes(of)));
}

describe("a packed batch", () => {
  test("gives back every record as it was put in", () => {
    fc.assert(
      fc.property(records, (of) => {
        const read = new BatchBlob(pack(of));
        expect(Array.from({ length: read.count }, (_, index) => read.record(index, "e"))).toEqual(of);
      }),
    );
  });

  test("is as large as announced", () => {
    fc.assert(
      fc.property(records, (of) => {
        expect(pack(of).length).toBe(blobBytes(of));
      }),
    );
  });

  test("finds a record by its offset, and the first at or after one", () => {
    fc.assert(
      fc.property(records, fc.nat({ max: 11 }), fc.integer({ min: -1, max: 1 }), (of, pick, aside) => {
        const read = new BatchBlob(pack(of));
        const offset = (of[pick % of.length]?.offset ?? 0) + aside;
        const index = of.findIndex((one) => one.offset === offset);
        expect(read.find(offset)).toBe(index < 0 ? undefined : index);
        expect(read.firstAt(offset)).toBe(of.filter((one) => one.offset < offset).length);
      }),
    );
  });

  test("tells keys apart by every byte and by length", () => {
    const keys = ["", "a", "ab", "abc", "abd", "b"].map((key) => Buffer.from(key));
    const read = new BatchBlob(
      pack(
        keys.map((key, offset) => ({
          epoch: "e",
          offset,
          previous: undefined,
          arrival: offset,
          timestamp: undefined,
          key,
          kind: "tombstone",
          value: null,
          headers: [],
        })),
      ),
    );
    for (const [index] of keys.entries())
      expect(keys.map((key) => read.hasKey(index, key))).toEqual(keys.map((_, other) => other === index));
  });

  test("a record that was read does not hold the blob", () => {
    const read = new BatchBlob(
      pack([
        {
          epoch: "e",
          offset: 1,
          previous: undefined,
          arrival: 1,
          timestamp: 1,
          key: Buffer.from("k"),
          kind: "text",
          value: Buffer.from("v"),
          headers: [["h", Buffer.from("x")]],
        },
      ]),
    );
    const { key, value, headers } = read.record(0, "e");
    for (const part of [key, value, headers[0]?.[1]])
      expect(part instanceof Uint8Array && part.buffer.byteLength).toBe(1);
  });

  test("any damaged byte is noticed before anything is read", () => {
    fc.assert(
      fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (of, at, flip) => {
        const packed = Uint8Array.from(pack(of));
        const index = at % packed.length;
        packed[index] = (packed[index] ?? 0) ^ flip;
        expect(() => new BatchBlob(packed)).toThrow(IndexError);
        expect(() => new BatchBlob(packed.subarray(0, index))).toThrow(IndexError);
      }),
    );
  });
});
