/** Generations of a shard. */
import { expect, test } from "vitest";
import { Generations } from "../../../../edge/shard/uplinks/leadership.ts";

test("[U14] a generation that can't be stored is nobody's: it is stored before it counts, also at the next attempt", () => {
  let stored = 7;
  let isDiskFull = true;
  const generations = new Generations(stored, (generation) => {
    if (isDiskFull) throw new Error("the disk is full");
    stored = generation;
  });
  for (const attempt of [() => generations.begin(), () => generations.advance()]) {
    expect(attempt).toThrow("full");
    expect(generations.current).toBe(7);
  }
  isDiskFull = false;

  generations.begin();
  generations.begin();

  expect([generations.current, stored]).toEqual([8, 8]);
});
