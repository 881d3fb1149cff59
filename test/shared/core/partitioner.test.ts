import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { murmur2, partitionOf } from "../../../shared/core/partitioner.ts";

const kafkajs = createRequire(import.meta.url)("kafkajs/src/producer/partitioners/default/murmur2.js") as (
  key: Buffer,
) => number;

describe("murmur2", () => {
  test.each([
    // From Kafka's own UtilsTest.
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("hashes %j as Kafka does", (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  test("hashes any bytes as kafkajs does, and chooses the same partition", () => {
    const key = fc.oneof(fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 1_000 }), (bytes, partitions) => {
        const hash = kafkajs(Buffer.from(bytes));
        expect(murmur2(bytes)).toBe(hash);
        expect(partitionOf(bytes, partitions)).toBe((hash & 0x7fffffff) % partitions);
      }),
      { numRuns: 1_000 },
    );
  });
});
