import { describe, expect, test } from "vitest";
import { classifyValue } from "../../support/values.ts";
import { MAX_RUN, Payloads, readStamp, stampOf } from "./payload.ts";

const stamp = { due: 1_234_567_890_123.5, sequence: 4_000_000_000, run: MAX_RUN };

describe("a payload", () => {
  test.each([16, 64, 512, 102_400])(
    "of %d random bytes has that size, its stamp, and travels as bytes",
    (bytes) => {
      const payload = new Payloads(bytes, false, MAX_RUN).encode(stamp);

      expect(payload.length).toBe(bytes);
      expect(readStamp(payload, 0)).toEqual(stamp);
      expect(classifyValue(payload).kind).toBe("bytes");
    },
  );

  test.each([64, 512, 102_400])(
    "of %d bytes of JSON has that size, its stamp, and travels as JSON",
    (bytes) => {
      const payload = new Payloads(bytes, true, MAX_RUN).encode(stamp);

      expect(payload.length).toBe(bytes);
      expect(stampOf(JSON.parse(payload.toString()))).toEqual(stamp);
      expect(classifyValue(payload).kind).toBe("json");
    },
  );

  test("differs from the next", () => {
    const payloads = new Payloads(64, false);

    expect(payloads.encode(stamp)).not.toEqual(payloads.encode(stamp));
  });

  test("that can't hold its stamp is refused", () => {
    expect(() => new Payloads(15, false)).toThrow("a payload has 16 bytes or more, not 15");
    expect(() => new Payloads(63, true)).toThrow(RangeError);
  });

  test("of anybody else has no stamp", () => {
    for (const value of [null, 3, "due", {}, { due: "1", seq: 2 }]) expect(stampOf(value)).toBeUndefined();
  });
});
