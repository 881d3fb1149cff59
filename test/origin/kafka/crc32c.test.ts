import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../../../origin/kafka/crc32c.ts";
import { range } from "../../support/contract-records.ts";
import { crc32c as bitByBit } from "../../support/record-batch.ts";

test.each([
  ["nothing", [], 0],
  ["the digits", [..."123456789"].map((digit) => digit.charCodeAt(0)), 0xe3069283],
  ["zeros", range(0, 32).map(() => 0), 0x8a9136aa],
  ["ones", range(0, 32).map(() => 0xff), 0x62a8ab43],
  ["bytes upwards", range(0, 32), 0x46dd794e],
  ["bytes downwards", range(0, 32).toReversed(), 0x113fdb5c],
])("the sums of RFC 3720: %s", (_, bytes, sum) => {
  expect(crc32c(Uint8Array.from(bytes))).toBe(sum);
});

test("bytes of any length have the sum that the definition gives them", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => crc32c(bytes) === bitByBit(bytes)));
});
