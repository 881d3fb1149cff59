import { describe, expect, test } from "vitest";
import { Stall } from "../../../origin/reading/stall.ts";

const BOUNDS = { stallMs: 20_000, lookMs: 2_000 };
const BEHIND = { next: 5, end: 6 };
const AT_END = { next: 5, end: 5 };

/** Looks every two seconds, first two seconds after `from`: the first time at which reading hangs, if any. */
function hangsAt(
  stall: Stall,
  stands: (now: number) => { next: number; end: number },
  { from = 0, to = 600_000, before = (_: number) => {} } = {},
): number | undefined {
  for (let now = from + 2_000; now <= to; now += 2_000) {
    before(now);
    if (stall.look(now, stands(now)) !== undefined) return now;
  }
  return undefined;
}

function answered(): Stall {
  const stall = new Stall(0, BOUNDS);
  stall.answered(0);
  return stall;
}

describe("reading hangs", () => {
  test("when the log has more and nothing is heard for 20 s", () => {
    expect(hangsAt(answered(), () => BEHIND)).toBe(20_000);
  });

  test("counted from when the log is known to have more", () => {
    const stands = (now: number) => (now < 100_000 ? AT_END : BEHIND);

    // It was last at its end at the look before.
    expect(hangsAt(answered(), stands)).toBe(118_000);
  });

  test("when not even a first answer comes, though there is nothing to read", () => {
    expect(hangsAt(new Stall(0, BOUNDS), () => AT_END)).toBe(20_000);
  });

  test("however much came before", () => {
    const stall = answered();
    const before = (now: number) => {
      if (now < 300_000) stall.answered(now);
    };

    expect(hangsAt(stall, () => BEHIND, { before })).toBe(318_000);
  });

  test("and says for how long", () => {
    const stall = answered();
    for (let now = 2_000; now < 22_000; now += 2_000) stall.look(now, BEHIND);

    expect(stall.look(22_000, BEHIND)).toBe(22_000);
  });
});

describe("reading doesn't hang", () => {
  test("while there is nothing to read", () => {
    expect(hangsAt(answered(), () => AT_END)).toBeUndefined();
  });

  test.each([
    ["batches come, however far the end is away", (stall: Stall, now: number) => stall.answered(now)],
    ["there are other signs of life", (stall: Stall, now: number) => stall.alive(now)],
  ])("while %s", (_, sign) => {
    const stall = answered();
    const before = (now: number) => {
      if (now % 18_000 === 0) sign(stall, now);
    };

    expect(hangsAt(stall, () => BEHIND, { before })).toBeUndefined();
  });

  test("because this process stood still: it is given the time to hear what came meanwhile", () => {
    const stall = answered();
    stall.look(2_000, BEHIND);

    expect(stall.look(300_000, BEHIND)).toBeUndefined();
    expect(hangsAt(stall, () => BEHIND, { from: 300_000 })).toBe(314_000);
  });
});
