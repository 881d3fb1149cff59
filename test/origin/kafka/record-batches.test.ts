import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partsOf, readTo } from "../../../origin/kafka/record-batches.ts";
import { WireError } from "../../../origin/kafka/wire.ts";
import { range } from "../../support/contract-records.ts";
import { type BatchShape, controlBatch, recordBatch } from "../../support/record-batch.ts";

const all = (answer: Buffer, from = 0, aborted: { producerId: number; firstOffset: number }[] = []) => {
  const parts = [...partsOf(answer, from, aborted)];
  return {
    values: parts.flatMap(({ records }) => records.map(({ value }) => String(value))),
    offsets: parts.flatMap(({ records }) => records.map(({ offset }) => offset)),
    parts,
    nextOffset: parts.at(-1)?.nextOffset ?? from,
  };
};
const batchOf = (firstOffset: number, values: readonly string[], shape: Partial<BatchShape> = {}) =>
  recordBatch({ firstOffset, values, ...shape });

describe("record batches", () => {
  test("records come with their offsets, from the first wanted on", () => {
    const answer = Buffer.concat([batchOf(10, ["a", "b", "c"]), batchOf(13, ["d"])]);

    expect(all(answer, 10)).toMatchObject({ values: ["a", "b", "c", "d"], offsets: [10, 11, 12, 13] });
    expect(all(answer, 12)).toMatchObject({ values: ["c", "d"], nextOffset: 14 });
    expect(readTo(answer, { offset: 12, leaderEpoch: -1 }).offset).toBe(14);
  });

  test("a last batch that is cut short counts for nothing, wherever it is cut", () => {
    const whole = batchOf(0, ["a", "b"]);
    const next = batchOf(2, ["c"]);
    for (const length of range(0, next.length)) {
      const answer = Buffer.concat([whole, next.subarray(0, length)]);
      expect(all(answer)).toMatchObject({ values: ["a", "b"], nextOffset: 2 });
      expect(readTo(answer, { offset: 0, leaderEpoch: -1 }).offset).toBe(2);
    }
  });

  test("a batch whose records are gone moves the offset all the same", () => {
    const answer = Buffer.concat([
      batchOf(0, ["a"]),
      batchOf(1, [], { lastOffset: 40 }),
      batchOf(41, ["b"], { lastOffset: 50 }),
    ]);

    expect(all(answer)).toMatchObject({ values: ["a", "b"], offsets: [0, 41], nextOffset: 51 });
    expect(readTo(answer, { offset: 0, leaderEpoch: -1 }).offset).toBe(51);
  });

  test("parts have 1,000 records and about 1 MiB at most, and name where each ends", () => {
    const many = batchOf(0, range(0, 2_500).map(String));
    const large = batchOf(2_500, new Array(3).fill("x".repeat(700_000)));
    const { parts } = all(Buffer.concat([many, large]));

    expect(parts.map(({ records, nextOffset }) => [records.length, nextOffset])).toEqual([
      [1_000, 1_000],
      [1_000, 2_000],
      [502, 2_502],
      [1, 2_503],
    ]);
  });

  test("aborted records are dropped up to their abort mark, where one producer's transactions differ", () => {
    const one = { producerId: 1, transactional: true };
    const two = { producerId: 2, transactional: true };
    const answer = Buffer.concat([
      batchOf(0, ["aborted1"], one),
      batchOf(1, ["committed2"], two),
      batchOf(2, ["plain"], { producerId: 1 }),
      controlBatch(3, 1, "abort"),
      batchOf(4, ["committed1"], one),
      controlBatch(5, 1, "commit"),
      batchOf(6, ["aborted1 again", "and more"], one),
      controlBatch(8, 2, "commit"),
      batchOf(9, ["still aborted"], one),
      controlBatch(10, 1, "abort"),
      batchOf(11, ["at last"], one),
    ]);
    const aborted = [
      { producerId: 1, firstOffset: 6 },
      { producerId: 1, firstOffset: 0 },
    ];

    expect(all(answer, 0, aborted).values).toEqual(["committed2", "plain", "committed1", "at last"]);
    // The first transaction began before what was fetched.
    const middle = Buffer.concat([batchOf(1, ["aborted1"], one), controlBatch(3, 1, "abort")]);
    expect(all(middle, 1, aborted)).toMatchObject({ values: [], nextOffset: 4 });
  });

  test("times that no clock has set are none", () => {
    const timestamps = [-1, 0, 1_700_000_000_000];
    const answer = Buffer.concat(timestamps.map((timestamp, i) => batchOf(i, ["a"], { timestamp })));

    expect(all(answer).parts.flatMap(({ records }) => records.map(({ timestamp }) => timestamp))).toEqual([
      undefined,
      0,
      1_700_000_000_000,
    ]);
  });

  test("records of an older format are refused, not passed over", () => {
    const old = batchOf(0, ["a"]);
    old.writeInt8(1, 16);

    expect(() => all(old)).toThrow(/format 1/);
  });

  test("damaged bytes give records or a WireError, and always end", () => {
    const sample = Buffer.concat([
      batchOf(0, ["a", "b"]),
      controlBatch(2, 1, "abort"),
      batchOf(3, ["c", "d"], { producerId: 1, transactional: true }),
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sample.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const damaged = Buffer.from(sample);
          for (const [at, to] of changes) damaged[at] = to;
          try {
            const { offsets } = all(damaged, 0, [{ producerId: 1, firstOffset: 0 }]);
            expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
