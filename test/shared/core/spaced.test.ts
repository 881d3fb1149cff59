import { describe, expect, test } from "vitest";
import { Spaced } from "../../../shared/core/spaced.ts";
import { FakeClock } from "../../support/fake-clock.ts";

describe("a number that is told no more often than once in 400 ms", () => {
  const clock = new FakeClock();
  const told: number[] = [];
  const spaced = new Spaced(clock, 400, (number) => told.push(number));

  test("is told at once, and then what is right when it may be told again", () => {
    spaced.set(1);
    expect(told.splice(0)).toEqual([1]);
    spaced.set(2);
    spaced.set(3);
    clock.pass(399);
    expect(told).toEqual([]);
    clock.pass(1);
    expect(told.splice(0)).toEqual([3]);
  });

  test("isn't told if it is what was told, unless it is to be told again", () => {
    spaced.set(4);
    spaced.set(3);
    clock.pass(1_000);
    expect(told).toEqual([]);
    spaced.again();
    spaced.set(3);
    expect(told.splice(0)).toEqual([3]);
  });

  test("isn't told after the end, and leaves no timer", () => {
    spaced.set(5);
    expect(clock.pending).toBe(1);
    spaced.end();
    expect(clock.pending).toBe(0);
    clock.pass(1_000);
    expect(told).toEqual([]);
  });
});
