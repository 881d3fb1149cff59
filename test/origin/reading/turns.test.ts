import { setImmediate } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { Turns } from "../../../origin/reading/turns.ts";

let now: number;
let turns: Turns;
/** Turns of the event loop that have passed. */
let passed: number;

beforeEach(() => {
  now = 0;
  turns = new Turns(() => now);
  passed = 0;
});

/** Counts turns while `work` goes on. */
async function counting(work: Promise<unknown>): Promise<number> {
  let goesOn = true;
  void work.finally(() => {
    goesOn = false;
  });
  for (; goesOn; passed++) await setImmediate();
  return passed;
}

/** So many slices of this length, one after the other, each in a later turn. */
async function reader(slices: number, ms: number, onSlice = () => {}): Promise<void> {
  for (let slice = 0; slice < slices; slice++) {
    await turns.later();
    now += ms;
    onSlice();
  }
}

describe("turns of the event loop", () => {
  test("are left to others after five milliseconds, however many readers wait for their next", async () => {
    const readers = Array.from({ length: 100 }, () => reader(3, 3));

    // 900 ms of work, and each slice that passes the 5 ms is finished.
    expect(await counting(Promise.all(readers))).toBeGreaterThanOrEqual(900 / 6);
  });

  test("hold as many short slices as there is time for", async () => {
    const readers = Array.from({ length: 100 }, () => reader(1, 0.01));

    expect(await counting(Promise.all(readers))).toBeLessThanOrEqual(3);
  });

  test("come to those who wait in the order in which they came, and once each before any comes again", async () => {
    const order: number[] = [];
    const readers = Array.from({ length: 5 }, (_, i) => reader(3, 4, () => order.push(i)));

    await Promise.all(readers);

    expect(order).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  });

  test("are spent after five milliseconds of their own: the next one begins with all of its time", async () => {
    expect(turns.isSpent()).toBe(false);
    now += 4.9;
    expect(turns.isSpent()).toBe(false);
    now += 0.2;
    expect(turns.isSpent()).toBe(true);
    await setImmediate();
    now += 1_000;

    expect(turns.isSpent()).toBe(false);
  });
});
