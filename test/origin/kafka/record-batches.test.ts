import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTo, wantedBytes } from "../../../origin/kafka/batch-headers.ts";
import { Memory } from "../../../origin/kafka/memory.ts";
import { partsOf } from "../../../origin/kafka/part-reader.ts";
import type { Part } from "../../../origin/kafka/parts.ts";
import { WireError } from "../../../origin/kafka/wire.ts";
import { range } from "../../support/contract-records.ts";
import {
  type BatchShape,
  controlBatch,
  oldBatch,
  oldMessage,
  recordBatch,
  withChecksum,
} from "../../support/record-batch.ts";

type Aborted = readonly { producerId: number | bigint; firstOffset: number }[];
const reading = (answer: Buffer, from = 0, aborted: Aborted = []) =>
  partsOf(answer, from, aborted, { memory: new Memory(), signal: new AbortController().signal });
const all = async (answer: Buffer, from = 0, aborted: Aborted = []) => {
  const parts: Part[] = [];
  for await (const part of reading(answer, from, aborted)) parts.push(part);
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
  test("records come with their offsets, from the first wanted on", async () => {
    const answer = Buffer.concat([batchOf(10, ["a", "b", "c"]), batchOf(13, ["d"])]);

    expect(await all(answer, 10)).toMatchObject({ values: ["a", "b", "c", "d"], offsets: [10, 11, 12, 13] });
    expect(await all(answer, 12)).toMatchObject({ values: ["c", "d"], nextOffset: 14 });
    expect(readTo(answer, { offset: 12, leaderEpoch: -1 }).offset).toBe(14);
  });

  test("a last batch that is cut short counts for nothing, wherever it is cut", async () => {
    const whole = batchOf(0, ["a", "b"]);
    const next = batchOf(2, ["c"]);
    for (const length of range(0, next.length)) {
      const answer = Buffer.concat([whole, next.subarray(0, length)]);
      expect(await all(answer)).toMatchObject({ values: ["a", "b"], nextOffset: 2 });
      expect(readTo(answer, { offset: 0, leaderEpoch: -1 }).offset).toBe(2);
    }
  });

  test("a batch whose records are gone moves the offset all the same", async () => {
    const answer = Buffer.concat([
      batchOf(0, ["a"]),
      batchOf(1, [], { lastOffset: 40 }),
      batchOf(41, ["b"], { lastOffset: 50 }),
    ]);

    expect(await all(answer)).toMatchObject({ values: ["a", "b"], offsets: [0, 41], nextOffset: 51 });
    expect(readTo(answer, { offset: 0, leaderEpoch: -1 }).offset).toBe(51);
  });

  describe("what the log has removed is told by the offset from which on it is whole:", () => {
    const wholeFrom = async (
      answer: Buffer,
      from = 0,
      aborted: { producerId: number; firstOffset: number }[] = [],
    ) => (await all(answer, from, aborted)).parts.map((part) => part.wholeFrom);
    const one = { producerId: 1, transactional: true };

    test.each([
      ["nothing is missing", [batchOf(0, ["a", "b"]), batchOf(2, ["c"])], undefined],
      ["before the first batch", [batchOf(2, ["a"])], 2],
      ["between two batches", [batchOf(0, ["a"]), batchOf(4, ["b"]), batchOf(5, ["c"])], 4],
      ["at the end of a batch", [batchOf(0, ["a"], { lastOffset: 3 })], 4],
      ["all of a batch", [batchOf(0, ["a"]), batchOf(1, [], { lastOffset: 2 }), batchOf(3, ["b"])], 3],
      [
        "marks of transactions are no records",
        [batchOf(0, ["a"], one), controlBatch(1, 1, "commit")],
        undefined,
      ],
      ["a mark that went with its batch", [batchOf(0, ["a"], one), batchOf(2, ["b"])], 2],
      ["before a mark", [batchOf(0, ["a"]), controlBatch(3, 1, "commit"), batchOf(4, ["b"])], 3],
      [
        "messages of old formats",
        [oldMessage({ magic: 1, offset: 0 }), oldMessage({ magic: 1, offset: 2 })],
        2,
      ],
      [
        "within a compressed one of these",
        [
          oldBatch(
            1,
            3,
            [0, 1, 3].map((offset) => oldMessage({ magic: 1, offset })),
          ),
        ],
        3,
      ],
    ])("%s", async (_, batches, expected) => {
      expect(await wholeFrom(Buffer.concat(batches))).toEqual([expected]);
    });

    test("within a batch", async () => {
      const sparse = recordBatch({
        firstOffset: 0,
        values: ["a", "b", "c"],
        deltas: [0, 2, 3],
        lastOffset: 3,
      });

      expect(await wholeFrom(sparse)).toEqual([2]);
      expect(await wholeFrom(sparse, 2)).toEqual([undefined]);
    });

    test("an aborted record is none, whatever is left of its batch", async () => {
      const answer = Buffer.concat([
        batchOf(0, ["aborted"], { ...one, lastOffset: 4 }),
        controlBatch(5, 1, "abort"),
        batchOf(6, ["a"]),
      ]);

      expect(await wholeFrom(answer, 0, [{ producerId: 1, firstOffset: 0 }])).toEqual([undefined]);
      expect(await wholeFrom(answer)).toEqual([5]);
    });

    test("in the part where it belongs", async () => {
      const answer = Buffer.concat([batchOf(0, range(0, 1_000).map(String)), batchOf(1_200, ["a"])]);

      expect((await all(answer)).parts.map(({ nextOffset, wholeFrom }) => [nextOffset, wholeFrom])).toEqual([
        [1_000, undefined],
        [1_201, 1_200],
      ]);
    });
  });

  test("parts have 1,000 records and about 1 MiB at most, and name where each ends", async () => {
    const many = batchOf(0, range(0, 2_500).map(String));
    const large = batchOf(2_500, new Array(3).fill("x".repeat(700_000)));
    const { parts } = await all(Buffer.concat([many, large]));

    expect(parts.map(({ records, nextOffset }) => [records.length, nextOffset])).toEqual([
      [1_000, 1_000],
      [1_000, 2_000],
      [502, 2_502],
      [1, 2_503],
    ]);
  });

  test("producers are told apart whose ids only an exact number of 64 bits tells apart", async () => {
    const [aborted, committed] = [2n ** 62n + 1n, 2n ** 62n + 2n];
    const answer = Buffer.concat([
      batchOf(0, ["aborted"], { producerId: aborted, transactional: true }),
      batchOf(1, ["committed"], { producerId: committed, transactional: true }),
      controlBatch(2, aborted, "abort"),
      controlBatch(3, committed, "commit"),
      batchOf(4, ["after"], { producerId: aborted, transactional: true }),
      controlBatch(5, aborted, "commit"),
    ]);

    const { values, nextOffset } = await all(answer, 0, [{ producerId: aborted, firstOffset: 0 }]);

    expect(values).toEqual(["committed", "after"]);
    expect(nextOffset).toBe(6);
  });

  test("aborted records are dropped up to their abort mark, where one producer's transactions differ", async () => {
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

    expect((await all(answer, 0, aborted)).values).toEqual(["committed2", "plain", "committed1", "at last"]);
    // The first transaction began before what was fetched.
    const middle = Buffer.concat([batchOf(1, ["aborted1"], one), controlBatch(3, 1, "abort")]);
    expect(await all(middle, 1, aborted)).toMatchObject({ values: [], nextOffset: 4 });
  });

  test("times that no clock has set are none", async () => {
    const timestamps = [-1, 0, 1_700_000_000_000];
    const answer = Buffer.concat(timestamps.map((timestamp, i) => batchOf(i, ["a"], { timestamp })));

    expect(
      (await all(answer)).parts.flatMap(({ records }) => records.map(({ timestamp }) => timestamp)),
    ).toEqual([undefined, 0, 1_700_000_000_000]);
  });

  const FOREVER = 2n ** 63n - 1n;

  test("[F2] times from 0 to 2^53 - 1 are exact, whatever the times of the records before them; others are none", async () => {
    const time = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: FOREVER }),
      fc.constantFrom(-1n, 0n, 1_700_000_000_123n, 2n ** 53n - 1n, 2n ** 53n, FOREVER, -(2n ** 63n)),
      fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }),
    );
    await fc.assert(
      fc.asyncProperty(
        time,
        fc.array(time, { minLength: 1, maxLength: 5 }),
        async (timestamp, timestamps) => {
          const values = timestamps.map(String);
          const { parts } = await all(batchOf(0, values, { timestamp, timestamps }));
          const read = parts.flatMap(({ records }) => records);

          expect(read.map(({ timestamp }) => timestamp)).toEqual(
            timestamps.map((one) => (one >= 0n && one < 2n ** 53n ? Number(one) : undefined)),
          );
        },
      ),
    );
  });

  test("[F2] a record after one that is of the end of time has its own time, to the millisecond", async () => {
    const timestamps = [FOREVER, 1_700_000_000_123, -1, 1_700_000_000_124];
    const answer = batchOf(0, ["a", "b", "c", "d"], { timestamp: FOREVER, timestamps });

    const read = (await all(answer)).parts.flatMap(({ records }) => records);

    expect(read.map(({ timestamp }) => timestamp)).toEqual([
      ...[undefined, 1_700_000_000_123, undefined, 1_700_000_000_124],
    ]);
  });

  test("[F2] so it is in older formats", async () => {
    const answer = Buffer.concat(
      [FOREVER, 5, -1, 2n ** 53n].map((timestamp, offset) => oldMessage({ magic: 1, offset, timestamp })),
    );

    expect(
      (await all(answer)).parts.flatMap(({ records }) => records.map(({ timestamp }) => timestamp)),
    ).toEqual([...[undefined, 5, undefined, undefined]]);
  });

  test("where reading goes on is named with the leader epoch of what was read last", async () => {
    const answer = Buffer.concat([
      batchOf(0, ["a"], { leaderEpoch: 3 }),
      batchOf(1, ["b"], { leaderEpoch: 7 }),
    ]);

    expect(readTo(answer, { offset: 0, leaderEpoch: -1 })).toEqual({ offset: 2, leaderEpoch: 7 });
    expect(readTo(Buffer.alloc(0), { offset: 2, leaderEpoch: 7 })).toEqual({ offset: 2, leaderEpoch: 7 });
    expect(readTo(oldMessage({ magic: 1, offset: 2 }), { offset: 2, leaderEpoch: 7 })).toEqual({
      offset: 3,
      leaderEpoch: -1,
    });
  });

  test("a batch that ends before it begins is refused: reading would come to it again and again", async () => {
    const answer = Buffer.concat([batchOf(0, ["a"]), batchOf(1, ["b"], { lastOffset: -5 })]);

    expect(() => readTo(answer, { offset: 0, leaderEpoch: -1 })).toThrow(WireError);
    await expect(all(answer)).rejects.toThrow("ends before it begins");
  });

  test.each([
    ["before", [-1]],
    ["behind", [0, 9]],
  ])("a record %s the bounds of its batch is refused: reading would go on elsewhere", async (_, deltas) => {
    const values = deltas.map(String);

    await expect(all(batchOf(5, values, { deltas, lastOffset: 6 }))).rejects.toThrow("outside of its batch");
  });

  test("an answer without a whole batch is refused: asking again would give the same", async () => {
    const answer = batchOf(0, ["a"]).subarray(0, -1);

    expect(() => readTo(answer, { offset: 0, leaderEpoch: -1 })).toThrow(WireError);
  });

  describe("of a log that cuts what it answers even within the first batch, so much more is asked for", () => {
    const [first, second] = [batchOf(0, ["a"]), batchOf(1, ["b".repeat(200)])];

    test("that the batch that was cut is whole", () => {
      expect(wantedBytes(second.subarray(0, 20))).toBe(second.length);
      expect(wantedBytes(Buffer.concat([first, second]).subarray(0, -1))).toBeGreaterThan(
        first.length + second.length,
      );
    });

    test("that it gets on, if nothing was cut, or not even a length has come", () => {
      expect(wantedBytes(first)).toBe(2 * first.length);
      expect(wantedBytes(first.subarray(0, 7))).toBe(14);
    });

    test("unless it gave less than it was asked for, or a length is none", () => {
      expect(() => wantedBytes(first.subarray(0, 30), 31)).toThrow(WireError);
      const bad = Buffer.from(first);
      bad.writeInt32BE(0x7fffffff, 8);
      expect(() => wantedBytes(bad)).toThrow(WireError);
      bad.writeInt32BE(-1, 8);
      expect(() => wantedBytes(bad, bad.length + 1)).toThrow(WireError);
    });
  });

  test("what lies before a damaged batch of the same answer is read", async () => {
    const bad = batchOf(2, ["c"]);
    bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
    const parts = reading(Buffer.concat([batchOf(0, ["a", "b"]), bad]));

    expect((await parts.next()).value).toMatchObject({
      nextOffset: 2,
      records: [{ offset: 0 }, { offset: 1 }],
    });
    await expect(parts.next()).rejects.toThrow(/^in the batch of the offsets 2 to 2: .* damaged/);
    await expect(all(bad, 2)).rejects.toMatchObject({ nextOffset: 3 });
  });

  test("a batch with one wrong bit is refused, whichever it is", async () => {
    const whole = batchOf(0, ["a"], { timestamp: 1_700_000_000_000 });
    for (const bit of range(8 * 17, 8 * whole.length)) {
      const damaged = Buffer.from(whole);
      damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(all(damaged)).rejects.toThrow(WireError);
    }
  });

  test("damaged bytes give records or a WireError, and always end, with a checksum that is right or not", async () => {
    const sample = [
      batchOf(0, ["a", "b"]),
      controlBatch(2, 1, "abort"),
      batchOf(3, ["c", "d"], { producerId: 1, transactional: true }),
      oldMessage({ magic: 1, offset: 5, value: "e" }),
      oldBatch(1, 7, [oldMessage({ magic: 1, offset: 0 }), oldMessage({ magic: 1, offset: 1 })]),
    ];
    const end = sample.length - 1;
    const change = fc.tuple(fc.nat(end), fc.nat(), fc.nat(255), fc.boolean());
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const damaged = sample.map((batch) => Buffer.from(batch));
        for (const [which, at, to, mended] of changes) {
          const batch = damaged[which] ?? Buffer.alloc(0);
          batch[at % batch.length] = to;
          if (mended && which < 3) withChecksum(batch);
          else if (mended) batch.writeUInt32BE(crc32(batch.subarray(16)), 12);
        }
        try {
          const { offsets } = await all(Buffer.concat(damaged), 0, [{ producerId: 1, firstOffset: 0 }]);
          expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("messages of the formats 0 and 1", () => {
  const of = async (answer: Buffer, from = 0) =>
    (await all(answer, from)).parts.flatMap(({ records }) =>
      records.map(({ offset, timestamp, key, value }) => [
        offset,
        timestamp,
        key && String(key),
        value && String(value),
      ]),
    );

  test("single ones come with key, value and, in format 1, their time; so do batches that follow them", async () => {
    const answer = Buffer.concat([
      oldMessage({ magic: 0, offset: 4, key: "k", value: "v" }),
      oldMessage({ magic: 0, offset: 5, value: null }),
      oldMessage({ magic: 1, offset: 9, key: "", value: "w", timestamp: 1_500_000_000_000 }),
      oldMessage({ magic: 1, offset: 10, value: "x", timestamp: -1 }),
      batchOf(11, ["y"], { timestamp: 1_600_000_000_000 }),
    ]);

    expect(await of(answer)).toEqual([
      [4, undefined, "k", "v"],
      [5, undefined, null, null],
      [9, 1_500_000_000_000, "", "w"],
      [10, undefined, null, "x"],
      [11, 1_600_000_000_000, null, "y"],
    ]);
    expect(await of(answer, 10)).toHaveLength(2);
    expect(readTo(answer, { offset: 4, leaderEpoch: -1 }).offset).toBe(12);
  });

  test("compressed ones have the offsets that the log gave them, though compaction took some", async () => {
    const within = (magic: 0 | 1, ...offsets: number[]) =>
      offsets.map((offset) => oldMessage({ magic, offset, value: `${offset}`, timestamp: offset }));
    const relative = oldBatch(1, 103, within(1, 0, 1, 3));
    const absolute = oldBatch(0, 107, within(0, 104, 107));

    expect(await of(Buffer.concat([relative, absolute]))).toEqual([
      [100, 0, null, "0"],
      [101, 1, null, "1"],
      [103, 3, null, "3"],
      [104, undefined, null, "104"],
      [107, undefined, null, "107"],
    ]);
    expect(await of(relative, 101)).toHaveLength(2);
  });

  test("where the log gave them their time, compressed ones have that time", async () => {
    const inner = [0, 1].map((offset) => oldMessage({ magic: 1, offset, timestamp: 5 }));
    const answer = oldBatch(1, 1, inner, { timestamp: 1_500_000_000_000, attributes: 0x08 });

    expect((await of(answer)).map(([, timestamp]) => timestamp)).toEqual([
      1_500_000_000_000, 1_500_000_000_000,
    ]);
  });

  test("one within another is refused if its offset lies behind", async () => {
    const inner = [oldMessage({ magic: 0, offset: 9, value: "a" })];

    await expect(all(oldBatch(0, 4, inner))).rejects.toThrow("outside of the one that holds it");
  });

  test("one with a wrong bit is refused, as are compressed ones within compressed ones", async () => {
    const whole = oldMessage({ magic: 1, offset: 0, value: "v" });
    for (const bit of range(8 * 12, 8 * whole.length)) {
      const damaged = Buffer.from(whole);
      damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(of(damaged)).rejects.toThrow(WireError);
    }
    await expect(of(oldBatch(1, 0, [oldBatch(1, 0, [whole])]))).rejects.toThrow(/within another/);
  });
});
