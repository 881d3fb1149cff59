/** What uplinks send by themselves leaves together, and none of it later than it may. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Departures } from "../../../origin/uplink/departures.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function world() {
  const departures = new Departures();
  const left: string[] = [];
  return {
    left,
    add: (name: string, waitMs: number) => departures.add(() => left.push(name), performance.now() + waitMs),
  };
}

test("what may leave at once does so in this turn of the loop, all of it by one wake", () => {
  const { left, add } = world();

  add("a", 0);
  add("b", -1);
  const wakes = vi.getTimerCount();
  vi.advanceTimersByTime(0);

  expect(wakes).toBe(1);
  expect(left).toEqual(["a", "b"]);
});

test("what may leave in less than a timer takes doesn't wait for one", () => {
  const { left, add } = world();

  add("soon", 0.9);
  add("waits", 1);
  vi.advanceTimersByTime(0);
  expect(left).toEqual(["soon"]);
  vi.advanceTimersByTime(1);

  expect(left).toEqual(["soon", "waits"]);
});

test("what waits leaves when the first of it may, by one wake", () => {
  const { left, add } = world();

  add("later", 2);
  add("first", 1);
  add("last", 5);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(0.9);
  expect(left).toEqual([]);
  vi.advanceTimersByTime(0.2);

  expect(left).toEqual(["later", "first", "last"]);
  expect(vi.getTimerCount()).toBe(0);
});

test("what leaves at once doesn't take with it what has left just before", () => {
  const { left, add } = world();

  add("waits", 2);
  add("at once", 0);
  vi.advanceTimersByTime(0);
  expect(left).toEqual(["at once"]);
  vi.advanceTimersByTime(2);

  expect(left).toEqual(["at once", "waits"]);
});

test("what is added while others leave waits for its own time", () => {
  const { left, add } = world();
  const departures = new Departures();

  departures.add(() => {
    left.push("a");
    departures.add(() => left.push("again"), performance.now() + 2);
  }, performance.now() + 1);
  vi.advanceTimersByTime(1);
  expect(left).toEqual(["a"]);
  vi.advanceTimersByTime(1.5);
  expect(left).toEqual(["a"]);
  vi.advanceTimersByTime(0.6);

  expect(left).toEqual(["a", "again"]);
  add("b", 0);
  vi.advanceTimersByTime(0);
  expect(left).toEqual(["a", "again", "b"]);
});
