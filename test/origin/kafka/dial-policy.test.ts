import { describe, expect, test } from "vitest";
import { DialPolicy } from "../../../origin/kafka/dial-policy.ts";

/** What becomes of a dial: how long it takes to open, if it does, and what follows then. */
type Fate = (policy: DialPolicy, dial: symbol) => void;

const fails: Fate = (policy, dial) => {
  policy.over(dial);
  policy.failed();
};
const endsAfterAnAnswer: Fate = (policy, dial) => {
  policy.over(dial);
  policy.answered();
  policy.failed();
};
const answers: Fate = (policy, dial) => {
  policy.over(dial);
  policy.answered();
};

/** Many want a connection all the time: when they dial, in milliseconds. */
function dials(policy: DialPolicy, from: number, to: number, fate: Fate): number[] {
  const at: number[] = [];
  for (let now = from; now < to; ) {
    const ms = policy.delay(now) ?? Number.NaN;
    if (ms > 0) {
      now += ms;
      continue;
    }
    const dial = Symbol("dial");
    policy.dialled(dial, now);
    at.push(now);
    fate(policy, dial);
    now += 1;
  }
  return at;
}

/** The most within any second. */
const perSecond = (at: readonly number[]) =>
  Math.max(...at.map((from) => at.filter((one) => one >= from && one < from + 1_000).length));

describe("however many want a connection,", () => {
  test("an address that refuses, or ends what it never answered on, is dialled twice in any second at most", () => {
    const at = dials(new DialPolicy(), 0, 60_000, fails);

    expect(perSecond(at)).toBe(2);
    expect(at.length).toBeGreaterThan(100);
  });

  test("one that was as it should be, and no longer is, too", () => {
    const policy = new DialPolicy();
    dials(policy, 0, 3, answers);
    policy.failed();

    expect(perSecond(dials(policy, 10_000, 60_000, fails))).toBe(2);
  });

  test("one that answers, and then ends what it answered on, is dialled twice a second in the long run", () => {
    const at = dials(new DialPolicy(), 0, 60_000, endsAfterAnAnswer);

    expect(at.length).toBeLessThanOrEqual(2 * 60 + 4);
  });

  test("one that can be reached again is dialled within 550 ms, and its other connections follow at once", () => {
    const policy = new DialPolicy();
    const last = dials(policy, 0, 60_000, fails).at(-1) ?? 0;

    const [first = 0, second, third] = dials(policy, last + 1, last + 1_000, answers);

    expect(first - last).toBeLessThanOrEqual(550);
    expect([second, third]).toEqual([first + 1, first + 2]);
  });

  test("while one dial is under way to an address that isn't trusted, it is waited for, however long it takes", () => {
    const policy = new DialPolicy();
    const dial = Symbol("dial");
    policy.dialled(dial, 0);

    expect(policy.delay(10_000)).toBeUndefined();
    policy.over(Symbol("another"));
    expect(policy.delay(10_000)).toBeUndefined();
    policy.over(dial);
    expect(policy.delay(10_000)).toBe(0);
  });
});

describe("what a broker that is dialled is given to say something", () => {
  test("is 3 s, doubled each time that wasn't enough, up to 10 s", () => {
    const policy = new DialPolicy();
    const given = [1, 2, 3, 4].map(() => {
      const { silenceMs } = policy;
      policy.silent();
      return silenceMs;
    });

    expect(given).toEqual([3_000, 6_000, 10_000, 10_000]);
  });

  test.each([
    [20, 3_000],
    [2_400, 4_800],
    [9_000, 10_000],
  ])("is twice what it took last, within that: %i ms", (took, given) => {
    const policy = new DialPolicy();
    policy.silent();
    policy.opened(took);

    expect(policy.silenceMs).toBe(given);
  });
});
