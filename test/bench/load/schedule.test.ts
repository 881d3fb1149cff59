import { describe, expect, test } from "vitest";
import { seeded } from "./chance.ts";
import { Schedule, type ScheduleSettings } from "./schedule.ts";

const SECOND = 1e6;

const schedule = (settings: Partial<ScheduleSettings> = {}) =>
  new Schedule({ endpoints: 10, rate: 2, from: 0, until: 5 * SECOND, random: seeded(7), ...settings });

describe("a schedule", () => {
  test("gives each endpoint its rate, evenly spaced", () => {
    const due = schedule().take(Number.POSITIVE_INFINITY, 1_000);

    expect(due.length).toBe(100);
    for (let endpoint = 0; endpoint < 10; endpoint++) {
      const times = due.filter((one) => one.endpoint === endpoint).map(({ at }) => at);
      expect(times.length).toBe(10);
      for (let i = 1; i < times.length; i++)
        expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeCloseTo(0.5 * SECOND, 3);
    }
  });

  test("keeps to the order of time, and within its interval", () => {
    const due = schedule({ from: 3 * SECOND }).take(Number.POSITIVE_INFINITY, 1_000);

    expect(due.map(({ at }) => at)).toEqual(due.map(({ at }) => at).sort((a, b) => a - b));
    expect(due[0]?.at).toBeGreaterThanOrEqual(3 * SECOND);
    expect(due.at(-1)?.at).toBeLessThan(5 * SECOND);
  });

  test("lets endpoints take their turns at different times", () => {
    const firsts = schedule().take(0.5 * SECOND, 1_000);

    expect(new Set(firsts.map(({ at }) => at)).size).toBe(10);
  });

  test("does not move what is due when it is taken late", () => {
    const all = schedule().take(Number.POSITIVE_INFINITY, 1_000);
    const late = schedule();

    const early = late.take(SECOND, 1_000);
    const rest = late.take(60 * SECOND, 1_000);

    expect([...early, ...rest]).toEqual(all);
  });

  test("gives nothing before its time, nothing twice, and no more than asked for", () => {
    const one = schedule();

    expect(one.take(-1, 1_000)).toEqual([]);
    expect(one.take(Number.POSITIVE_INFINITY, 99).length).toBe(99);
    expect(one.done).toBe(false);
    expect(one.take(Number.POSITIVE_INFINITY, 99).length).toBe(1);
    expect(one.done).toBe(true);
    expect(one.take(Number.POSITIVE_INFINITY, 99)).toEqual([]);
  });
});
