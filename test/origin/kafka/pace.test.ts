import { expect, test } from "vitest";
import { Pace } from "../../../origin/kafka/pace.ts";

/** Answers at even distances from `from` on; returns when the last came. */
function answers(pace: Pace, from: number, everyMs: number, count: number): number {
  for (let i = 0; i < count; i++) pace.came(from + i * everyMs);
  return from + (count - 1) * everyMs;
}

test("where records come rarely the next are asked for at once, also after two that came together", () => {
  const pace = new Pace();
  expect(pace.waitMs(0)).toBe(0);

  const last = answers(pace, 1_000, 10, 100);
  expect(pace.waitMs(last)).toBe(0);

  pace.came(last + 0.1);
  expect(pace.waitMs(last + 0.1)).toBe(0);
});

test("where they come often the next are asked for a moment after the last, and at once when that has passed", () => {
  const pace = new Pace();

  const last = answers(pace, 1_000, 1, 100);

  expect(pace.waitMs(last)).toBe(2);
  expect(pace.waitMs(last + 1.5)).toBe(0.5);
  expect(pace.waitMs(last + 3)).toBe(0);
});

test("a burst is over with the next pause", () => {
  const pace = new Pace();
  const last = answers(pace, 1_000, 1, 100);

  pace.came(last + 10_000);

  expect(pace.waitMs(last + 10_000)).toBe(0);
});
