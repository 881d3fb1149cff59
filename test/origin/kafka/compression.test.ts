import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decompress, unpacking } from "../../../origin/kafka/compression.ts";
import { decompressLz4 } from "../../../origin/kafka/lz4.ts";
import { decompressSnappy } from "../../../origin/kafka/snappy.ts";
import { WireError } from "../../../origin/kafka/wire.ts";

const MAX = 1_000_000;
const bytes = (...parts: (string | number | number[])[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from([part].flat()))),
  );
const little = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

/** "abc", then nine bytes from three back, which overlap what they make; then "XY" and two from five back. */
const SNAPPY = bytes(16, 0b1000, "abc", [0b10101, 3], 0b100, "XY", [0b110, 5, 0]);
const SNAPPY_TEXT = "abcabcabcabcXYab";
const xerial = (...blocks: Buffer[]) =>
  Buffer.concat([
    bytes([0x82], "SNAPPY", [0, 0, 0, 0, 1, 0, 0, 0, 1]),
    ...blocks.flatMap((block) => [bytes([0, 0, 0, block.length]), block]),
  ]);

const LZ4_MAGIC = [0x04, 0x22, 0x4d, 0x18];
const END = little(0);
/** "abc", nine from three back, then "XY" without a copy, as a block ends. */
const LZ4_BLOCK = bytes(0x35, "abc", [3, 0], 0x20, "XY");
const lz4 = (flags: number, ...blocks: Buffer[]) =>
  bytes(LZ4_MAGIC, [flags, 0x40, 0], [...Buffer.concat(blocks)]);
const block = (content: Buffer) => bytes(little(content.length), [...content]);
const stored = (text: string) => bytes(little(text.length + 2 ** 31), text);

describe("snappy", () => {
  test("one block, and blocks behind Java's header, come out whole", () => {
    expect(decompressSnappy(SNAPPY, MAX).toString()).toBe(SNAPPY_TEXT);
    expect(decompressSnappy(xerial(SNAPPY, SNAPPY), MAX).toString()).toBe(SNAPPY_TEXT + SNAPPY_TEXT);
    expect(decompressSnappy(xerial(), MAX).length).toBe(0);
  });

  test.each([
    ["a copy from before the block", bytes(8, 0b0, "a", [0b1001, 9])],
    ["a copy from nowhere", bytes(8, 0b0, "a", [0b1001, 0])],
    ["a literal longer than what is left", bytes(8, 0b11100, "ab")],
    ["less than the block says", bytes(9, 0b1000, "abc")],
    ["a length out of proportion", bytes([255, 255, 255, 127], 0b0, "a")],
    ["a block of Java's that ends early", xerial(SNAPPY).subarray(0, -1)],
    ["nothing", bytes()],
  ])("%s is refused", (_, input) => {
    expect(() => decompressSnappy(input, MAX)).toThrow(WireError);
  });
});

describe("LZ4", () => {
  test("frames come out whole: of blocks alone, linked or stored, with sizes and checksums", () => {
    const whole = "abcabcabcabcXY";
    expect(decompressLz4(lz4(0x60, block(LZ4_BLOCK), stored("plain"), bytes(END)), MAX).toString()).toBe(
      `${whole}plain`,
    );
    // Nothing new, then five from fourteen back: into the block before.
    const goesOn = bytes(0x01, [14, 0], 0x10, "Z");
    expect(decompressLz4(lz4(0x40, block(LZ4_BLOCK), block(goesOn), bytes(END)), MAX).toString()).toBe(
      `${whole}abcabZ`,
    );
    const summed = bytes(
      LZ4_MAGIC,
      [0x7c, 0x40],
      new Array(8).fill(0),
      0,
      [...block(LZ4_BLOCK)],
      little(0),
      END,
    );
    expect(decompressLz4(summed, MAX).toString()).toBe(whole);
  });

  test.each([
    [
      "a copy into the block before, where blocks are alone",
      lz4(0x60, block(LZ4_BLOCK), block(bytes(0x01, [14, 0], 0x10, "Z"))),
    ],
    ["a frame without an end", lz4(0x60, block(LZ4_BLOCK))],
    ["a block that ends early", lz4(0x60, block(LZ4_BLOCK.subarray(0, 5)), bytes(END))],
    ["another version", lz4(0xa0, bytes(END))],
    ["another format", bytes("not a frame")],
    ["nothing", bytes()],
  ])("%s is refused", (_, input) => {
    expect(() => decompressLz4(input, MAX)).toThrow(WireError);
  });
});

describe("whatever the codec", () => {
  const plain = Buffer.from("what a producer wrote, ".repeat(40));
  const samples: [attributes: number, compressed: Buffer][] = [
    [1, gzipSync(plain)],
    [2, SNAPPY],
    [2, xerial(SNAPPY, SNAPPY)],
    [3, lz4(0x40, block(LZ4_BLOCK), stored("plain"), bytes(END))],
    [4, zstdCompressSync(plain)],
  ];

  test("damaged bytes give bytes or a WireError, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        fc.nat(),
        ([attributes, sample], changes, cut) => {
          const damaged = Buffer.from(
            sample.subarray(0, sample.length - (cut % 3 === 0 ? cut % sample.length : 0)),
          );
          for (const [at, to] of changes) damaged[at % sample.length] = to;
          try {
            expect(decompress(attributes, damaged)).toBeInstanceOf(Buffer);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("what is larger than the bound is refused", () => {
    const bombs: [(input: Buffer, max: number) => Buffer, Buffer][] = [
      [decompressSnappy, xerial(SNAPPY, SNAPPY)],
      [decompressLz4, lz4(0x60, block(LZ4_BLOCK), block(LZ4_BLOCK), bytes(END))],
    ];
    for (const [codec, input] of bombs) {
      expect(() => codec(input, 20)).toThrow(WireError);
      expect(codec(input, 40).length).toBeGreaterThan(20);
    }
  });

  test.each([
    ["65,536", "28b52ffd6000ff010000"],
    ["131,072", "28b52ffda000000200010000"],
    ["65,536, with a window", "28b52ffd405800ff010000"],
  ])("a zstd frame that says %s bytes and holds none is refused, at once and in pieces", async (_, hex) => {
    const frame = Buffer.from(hex, "hex");
    expect(() => decompress(4, frame)).toThrow(WireError);
    await expect(unpacking(4, frame).pieces().next()).rejects.toThrow(WireError);
  });

  test("a codec that does not exist is refused", () => {
    expect(() => decompress(7, plain)).toThrow(/codec 7 is unknown/);
  });
});
