import { expect, test } from "vitest";
import { Pace } from "../../../origin/uplink/pace.ts";

/** How many of those that come that often within a second leave at once, and how many in all. */
function sentIn(everyMs: number, pace = new Pace(2), from = 1_000) {
  let [atOnce, leaves] = [0, Number.NEGATIVE_INFINITY];
  let sent = 0;
  for (let now = from; now < from + 1_000; now += everyMs) {
    // What waits already takes this along.
    if (leaves > now) continue;
    leaves = Math.max(now, pace.freeAt);
    if (leaves === now) atOnce++;
    sent++;
    pace.sent(leaves);
  }
  return { atOnce, sent };
}

test("what comes 500 times a second or less leaves at once", () => {
  expect(sentIn(2)).toEqual({ atOnce: 500, sent: 500 });
  expect(sentIn(7)).toEqual({ atOnce: 143, sent: 143 });
});

test("of what comes faster 16 leave at once, and then one in 2 ms", () => {
  const { atOnce, sent } = sentIn(0.25);
  expect(atOnce).toBeLessThanOrEqual(500 + 16);
  expect(sent).toBeLessThanOrEqual(500 + 16 + 1);
  expect(sent).toBeGreaterThan(490);
  const pace = new Pace(2);
  for (let i = 0; i < 16; i++) {
    expect(pace.freeAt).toBeLessThanOrEqual(1_000);
    pace.sent(1_000);
  }
  expect(pace.freeAt).toBe(1_000);
  pace.sent(1_000);
  expect(pace.freeAt).toBe(1_002);
});

test("after a rest they may again, however long it was", () => {
  const pace = new Pace(2);
  sentIn(0.25, pace);
  const rested = sentIn(0.25, pace, 1_000_000);
  expect(rested.sent).toBeLessThanOrEqual(500 + 16 + 1);
});
