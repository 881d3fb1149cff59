import { expect, test } from "vitest";
import { Rereads } from "../../../origin/reading/rereads.ts";

/** Each hole comes as soon as the partition is ready again; each reading takes so long. Returns the share of the time that it is proved. */
function proved(tookMs: number, times: number): number {
  const rereads = new Rereads();
  let now = 0;
  let provedMs = 0;
  for (let i = 0; i < times; i++) {
    const waitMs = rereads.waitMs(now);
    provedMs += waitMs;
    now += waitMs;
    rereads.begins(now);
    now += tookMs;
    rereads.ends(now);
  }
  return provedMs / now;
}

test("what was removed is read again at once the first time, and when the reading before is long ago", () => {
  const rereads = new Rereads();
  expect(rereads.waitMs(0)).toBe(0);

  rereads.begins(0);
  rereads.ends(5_000);

  expect(rereads.waitMs(10_000)).toBe(0);
  expect(rereads.waitMs(100_000)).toBe(0);
});

test.each([10, 5_000, 10_000])(
  "however often more is removed, a partition is proved half of the time: read in %i ms",
  (tookMs) => {
    expect(proved(tookMs, 1_000)).toBeGreaterThan(0.49);
  },
);

test("a reading that takes an hour is put off by ten seconds", () => {
  const rereads = new Rereads();
  rereads.begins(0);
  rereads.ends(3_600_000);

  expect(rereads.waitMs(3_600_000)).toBe(10_000);
});

test("one that had to begin anew counts from its first beginning", () => {
  const rereads = new Rereads();
  rereads.begins(0);
  expect(rereads.isOn).toBe(true);
  rereads.begins(4_000);
  rereads.ends(5_000);

  expect(rereads.isOn).toBe(false);
  expect(rereads.waitMs(5_000)).toBe(5_000);
  rereads.ends(9_000);
  expect(rereads.waitMs(9_000)).toBe(1_000);
});
