import { expect, test } from "vitest";
import { preview } from "../../../edge/page/preview.ts";
import type { Value } from "../../../shared/protocol/frame.ts";

test.each<[string, Value, string]>([
  ["JSON as it was produced", { kind: "json", text: '{ "a":1.0 }' }, '{ "a":1.0 }'],
  ["text as it is, markup too", { kind: "text", text: "<b>" }, "<b>"],
  ["long text by its beginning", { kind: "text", text: "abcdefghijklm" }, "abcdefghijkl…"],
  ["bytes by size and in hexadecimal", { kind: "bytes", bytes: Uint8Array.of(0, 255) }, "2 bytes: 00 ff"],
  ["many bytes by the first", { kind: "bytes", bytes: new Uint8Array(2_000) }, "2,000 bytes: 00 00 00 00 …"],
  ["a tombstone", { kind: "tombstone" }, "deleted (tombstone)"],
  [
    "a value too large to travel",
    { kind: "omitted", size: 9_000_000 },
    "9,000,000 bytes, too large to travel",
  ],
])("shows %s", (_, value, shown) => {
  expect(preview(value, 12)).toBe(shown);
});
