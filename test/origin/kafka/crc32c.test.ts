import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../../origin/kafka/crc32c.ts";

/** Bit by bit, as CRC-32C is defined. */
function slowly(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

test("the checksum is CRC-32C, of whatever part of whatever bytes", () => {
  expect(crc32c(Buffer.from("123456789"), 0, 9)).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (bytes, from) => {
      const part = bytes.subarray(from);
      expect(crc32c(Buffer.from(bytes), Math.min(from, bytes.length), bytes.length)).toBe(slowly(part));
    }),
  );
});

test("the checksum is that of its definition where the bytes are many, wherever they begin", () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 8_192 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24));
  for (const length of [3_071, 3_072, 3_080, 5_119, 5_120, 8_190])
    for (let from = 0; from < 9 && from + length <= bytes.length; from++)
      expect(crc32c(bytes, from, from + length)).toBe(slowly(bytes.subarray(from, from + length)));
});
