import { describe, expect, test } from "vitest";
import { Throttle } from "../../../origin/kafka/throttle.ts";

function toldOf(...ms: readonly number[]): Throttle {
  const throttle = new Throttle();
  for (const one of ms) throttle.told(0, one);
  return throttle;
}

describe("a broker that throttles", () => {
  test.each([1, 1_000, 11_000])("is left alone for as long as it wants: %i ms", (ms) => {
    const throttle = toldOf(ms);

    expect(throttle.isOn).toBe(true);
    expect(throttle.isDeaf).toBe(false);
    expect(throttle.leftMs(0)).toBe(ms);
    expect(throttle.leftMs(ms - 1)).toBe(1);
    expect(throttle.leftMs(ms + 1)).toBe(0);
  });

  test.each([13_000, 120_000, 2 ** 31 - 1])("for long is asked another way after 12 s: %i ms", (ms) => {
    const throttle = toldOf(ms);

    expect(throttle.leftMs(0)).toBe(12_000);
    expect(throttle.isDeaf).toBe(true);
  });

  test("no longer does if its next answer says nothing of it", () => {
    const throttle = toldOf(120_000, 0);

    expect(throttle.isOn).toBe(false);
    expect(throttle.isDeaf).toBe(false);
  });
});

test("a broker that never throttled is asked at once", () => {
  const throttle = new Throttle();

  expect(throttle.isOn).toBe(false);
  expect(throttle.leftMs(-1)).toBe(0);
});
