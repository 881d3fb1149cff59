import { describe, expect, test } from "vitest";
import type { Ended } from "../../../origin/uplink/connection-options.ts";
import { Redial } from "../../../origin/uplink/redial.ts";

const timing = {
  retry: { baseMs: 250, maxMs: 2_000 },
  replaced: { baseMs: 1_000, maxMs: 60_000 },
  refused: { baseMs: 1_000, maxMs: 30_000 },
};
const ended = (how: Ended["how"], more: Partial<Ended> = {}): Ended => ({
  ...{ how, greeted: false, reason: "" },
  ...more,
});
/** The longest that it may wait each time. */
const redial = () => new Redial(timing, () => 1);
const delays = (one: Redial, how: Ended, count: number, lastedMs = 0) =>
  Array.from({ length: count }, () => one.after(how, lastedMs));

describe("a shard is dialled again", () => {
  test("soon where the edge can't be reached or closes, and never more rarely than every 2 s", () => {
    expect(delays(redial(), ended("closed"), 5)).toEqual([250, 500, 1_000, 2_000, 2_000]);
  });

  test("[U12] ever more rarely where another one takes over, until an uplink has lasted for two minutes", () => {
    const one = redial();
    expect(delays(one, ended("replaced", { greeted: true }), 7, 60_000).at(-1)).toBe(60_000);
    expect(one.after(ended("replaced", { greeted: true }), 120_001)).toBe(1_000);
  });

  test("rarely where it is refused, unless that may pass by itself", () => {
    expect(delays(redial(), ended("refused"), 6)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
    expect(delays(redial(), ended("refused", { mayPass: true }), 3)).toEqual([1_000, 2_000, 2_000]);
  });

  test("each reason counts for itself, and starts anew after an uplink that lasted", () => {
    const one = redial();
    expect(delays(one, ended("closed"), 4).at(-1)).toBe(2_000);
    expect(one.after(ended("refused"), 0)).toBe(1_000);
    // One that was never greeted hasn't shown anything, however long it took.
    expect(one.after(ended("closed"), 60_000)).toBe(2_000);
    expect(one.after(ended("closed", { greeted: true }), 2_001)).toBe(250);
  });
});
