import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AddressedTo, decodeAddressed, encodeAddressed } from "../../../shared/protocol/addressed.ts";
import { encodeUpdate } from "../../../shared/protocol/frame.ts";

const addressees: fc.Arbitrary<AddressedTo> = fc.oneof(
  fc
    .array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { minLength: 1, maxLength: 50 })
    .map((links): AddressedTo => ({ kind: "links", links })),
  fc.integer({ min: 1 }).map((id): AddressedTo => ({ kind: "question", id })),
  fc.constant<AddressedTo>({ kind: "shard" }),
);

describe("addressed frames", () => {
  test("[U3] they are what INTERNALS.md shows", () => {
    expect(encodeAddressed({ kind: "links", links: [7, 9] }, "F")).toBe("7,9\tF");
    expect(encodeAddressed({ kind: "question", id: 13 }, "F")).toBe("?13\tF");
    expect(encodeAddressed({ kind: "shard" }, "F")).toBe("0\tF");
  });

  test("[U3] [F1] address and frame come apart as they were put together, byte for byte, tabs in the value too", () => {
    const frame = fc.oneof(
      fc.string(),
      fc.uint8Array().map((bytes) =>
        encodeUpdate({
          endpoint: "/t/k",
          epoch: "a",
          offset: 1,
          previous: undefined,
          timestamp: undefined,
          headers: [],
          value: { kind: "bytes", bytes },
        }),
      ),
    );
    fc.assert(
      fc.property(addressees, frame, (to, frame) => {
        expect(decodeAddressed(encodeAddressed(to, frame))).toEqual({ to, frame });
      }),
    );
  });

  test.each([
    "",
    "F",
    "\tF",
    "0",
    "-1\tF",
    "1,\tF",
    "01\tF",
    "?0\tF",
    "x\tF",
    "1 2\tF",
    Uint8Array.of(1, 2),
    Uint8Array.of(0xff, 9),
  ])("[C5] %j has no address", (item) => {
    expect(decodeAddressed(item)).toBeUndefined();
  });
});
