/** Batches that are large unpacked: they come whole, in little memory, and leave the event loop to others. */
import { setImmediate } from "node:timers/promises";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decompress, unpacking } from "../../../origin/kafka/compression.ts";
import { Memory, UNPACK_BYTES } from "../../../origin/kafka/memory.ts";
import { partsOf } from "../../../origin/kafka/part-reader.ts";
import type { Part } from "../../../origin/kafka/parts.ts";
import { WireError } from "../../../origin/kafka/wire.ts";
import { TEST_CODECS, type TestCodec } from "../../support/compressed.ts";
import { range } from "../../support/contract-records.ts";
import { oldBatch, oldMessage, recordBatch } from "../../support/record-batch.ts";

const MIB = 1024 * 1024;
const never = new AbortController().signal;
const ZSTD: TestCodec = { name: "zstd", number: 4, compress: (bytes) => zstdCompressSync(bytes) };

/** Small and large ones, across pieces, some larger than a part; 9 MiB in all. */
const VALUES = [
  ...range(0, 3_000).map((i) => `small ${i}`),
  "x".repeat(3 * MIB),
  ...range(0, 50).map((i) => `${i}`.repeat(50_000)),
  "",
  "y".repeat(MIB),
  ...range(0, 30).map((i) => "z".repeat(1_000 * i)),
];

const reading = (answer: Buffer, { from = 0, memory = new Memory(), signal = never } = {}) =>
  partsOf(answer, from, [], { memory, signal });

async function contentOf(parts: AsyncIterable<Part>, onPart = () => {}): Promise<[number, string][]> {
  const content: [number, string][] = [];
  for await (const { records } of parts) {
    for (const { offset, value } of records) content.push([offset, String(value)]);
    onPart();
  }
  return content;
}

const expected = (from = 0) => VALUES.map((value, i): [number, string] => [i, value]).slice(from);
const large = (codec: TestCodec) => recordBatch({ firstOffset: 0, values: VALUES, codec });
/** So many MiB, in records of 64 KiB. */
const zeros = (mib: number) =>
  recordBatch({ firstOffset: 0, values: new Array(16 * mib).fill("0".repeat(MIB / 16)), codec: ZSTD });

describe.each(TEST_CODECS)("a large batch compressed with $name", (codec) => {
  test("comes whole, from wherever it is wanted, in parts of 1,000 records and about 1 MiB at most", async () => {
    const batch = large(codec);
    const parts: Part[] = [];
    for await (const part of reading(
      Buffer.concat([batch, recordBatch({ firstOffset: 5_000, values: ["b"] })]),
    ))
      parts.push(part);

    const records = parts.flatMap((part) => part.records);
    expect(records.map(({ offset, value }) => [offset, String(value)])).toEqual([
      ...expected(),
      [5_000, "b"],
    ]);
    expect(parts.at(-1)?.nextOffset).toBe(5_001);
    for (const part of parts) {
      const bytes = part.records.slice(0, -1).reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      expect(part.records.length <= 1_000 && bytes < MIB).toBe(true);
    }
    for (const from of [1, 2_999, 3_001, VALUES.length - 1])
      expect(await contentOf(reading(batch, { from }))).toEqual(expected(from));
  });

  test("is refused where its header says more than it holds, after what it holds", async () => {
    const short = recordBatch({ firstOffset: 0, values: VALUES, codec, count: VALUES.length + 1 });
    const content: [number, string][] = [];
    const parts = (async () => {
      for await (const { records } of reading(short))
        for (const { offset, value } of records) content.push([offset, String(value)]);
    })();

    await expect(parts).rejects.toThrow(WireError);
    expect(content).toEqual(expected());
  });

  test("gives in pieces what it gives at once, or is refused either way, however it is damaged", async () => {
    const sample = codec.compress(Buffer.from(range(0, 20_000).join()));
    const change = fc.tuple(fc.nat(), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.nat(), async (changes, cut) => {
        const damaged = Buffer.from(cut % 3 === 0 ? sample.subarray(0, cut % sample.length) : sample);
        for (const [at, to] of changes) if (damaged.length > 0) damaged[at % damaged.length] = to;
        const outcome = (error: unknown) => {
          if (error instanceof WireError) return "refused";
          throw error;
        };
        const whole = await (async () => decompress(codec.number, damaged))().catch(outcome);
        const pieces: Buffer[] = [];
        const read = async () => {
          for await (const piece of unpacking(codec.number, damaged).pieces())
            pieces.push(Buffer.from(piece));
          return Buffer.concat(pieces);
        };
        const joined = await read().catch(outcome);
        expect(joined === whole || (typeof whole !== "string" && whole.equals(Buffer.from(joined)))).toBe(
          true,
        );
      }),
      { numRuns: 80 },
    );
  });
});

test("large batches of the formats 0 and 1 come whole, with the offsets that the log gave them", async () => {
  const values = range(0, 40).map((i) => `${i % 10}`.repeat(100_000));
  const within = (magic: 0 | 1, first: number) =>
    values.map((value, i) => oldMessage({ magic, offset: first + i, value }));
  const answer = Buffer.concat([oldBatch(1, 139, within(1, 7)), oldBatch(0, 179, within(0, 140))]);

  const content = await contentOf(reading(answer, { from: 101 }));

  expect(content).toEqual([...values, ...values].map((value, i) => [100 + i, value]).slice(1));
});

describe("memory", () => {
  test("is shared by all reads: together they unpack in no more than there is", async () => {
    const memory = new Memory(16 * MIB);
    const batch = zeros(24);
    let most = 0;
    const look = () => {
      most = Math.max(most, memory.leased);
    };

    const all = await Promise.all(range(0, 30).map(() => contentOf(reading(batch, { memory }), look)));

    expect(all.map(({ length }) => length)).toEqual(new Array(30).fill(16 * 24));
    // Else there would be nothing to share.
    expect(most).toBeGreaterThan(12 * MIB);
    expect(most).toBeLessThanOrEqual(16 * MIB);
    expect(memory.leased).toBe(0);
  });

  test("takes a batch's window and a few pieces, whatever it is unpacked", async () => {
    const memory = new Memory();
    const batch = zeros(100);
    let most = 0;

    await contentOf(reading(batch, { memory }), () => {
      most = Math.max(most, memory.leased);
    });

    expect(most).toBeLessThan(UNPACK_BYTES / 5);
  });

  test("for a record that is larger than all of it is had by one alone", async () => {
    const memory = new Memory(2 * MIB);
    const batch = large(ZSTD);

    const all = await Promise.all(range(0, 3).map(() => contentOf(reading(batch, { memory }))));

    for (const content of all) expect(content).toEqual(expected());
  });

  test("that a stuck reader has is given to others, and it goes on where it was", async () => {
    const memory = new Memory(6 * MIB, 20);
    const batch = large(ZSTD);
    const release = Promise.withResolvers<void>();
    const stuck = (async () => {
      const content: [number, string][] = [];
      for await (const { records } of reading(batch, { memory })) {
        for (const { offset, value } of records) content.push([offset, String(value)]);
        await release.promise;
      }
      return content;
    })();

    const others = await Promise.all(range(0, 3).map(() => contentOf(reading(batch, { memory }))));
    release.resolve();

    for (const content of [...others, await stuck]) expect(content).toEqual(expected());
    expect(memory.leased).toBe(0);
  });

  test("is given back by a read that ends early, and not waited for by one that was aborted", async () => {
    const memory = new Memory(6 * MIB);
    const first = reading(zeros(8), { memory });
    await first.next();
    const abort = new AbortController();
    const second = reading(zeros(8), { memory, signal: abort.signal }).next();
    abort.abort(new Error("over"));

    await expect(second).rejects.toThrow("over");
    expect(memory.leased).toBeGreaterThan(0);
    await first.return();
    expect(memory.leased).toBe(0);
  });
});

describe("a batch past the limit", () => {
  const words = /more than 256 MiB.*smaller batches/;

  test("is refused with the limit, though it is small as it comes", async () => {
    const pieces = unpacking(4, zstdCompressSync(Buffer.alloc(257 * MIB))).pieces();
    const all = (async () => {
      for await (const _ of pieces);
    })();

    await expect(all).rejects.toThrow(words);
  });

  test("is refused where it is one record that says so", async () => {
    const codec: TestCodec = {
      ...ZSTD,
      compress: (bytes) =>
        zstdCompressSync(Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x82, 0x02]), bytes])),
    };
    const batch = recordBatch({ firstOffset: 0, values: ["x".repeat(MIB)], codec });

    await expect(contentOf(reading(batch))).rejects.toThrow(words);
  });
});

test.each(TEST_CODECS)("unpacking $name leaves turns of the event loop to others", async (codec) => {
  const value = "v".repeat(MIB / 2);
  const batch = recordBatch({ firstOffset: 0, values: new Array(128).fill(value), codec });
  let turns = 0;
  let goesOn = true;
  const counted = (async () => {
    for (; goesOn; turns++) await setImmediate();
  })();

  // All of it is passed over: there is no part after which others could have their turn.
  await contentOf(reading(batch, { from: 128 }));
  goesOn = false;
  await counted;

  expect(turns).toBeGreaterThanOrEqual(3);
});
