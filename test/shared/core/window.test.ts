import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Kept, Window, type WindowLimits } from "../../../shared/core/window.ts";
import type { Position } from "../../../shared/protocol/position.ts";

const limits = (changed: Partial<WindowLimits> = {}): WindowLimits => ({
  ...{ updates: 100, ageMs: 60_000, bytes: 1_000_000 },
  ...changed,
});
const kept = (offset: number, size = 10, epoch = "e.0"): Kept => ({
  epoch,
  offset,
  frame: `${epoch}:${offset}`.padEnd(size, "-"),
});
const framesOf = (window: Window, from: Position) => window.after(from).map(({ frame }) => frame);
const at = (...components: [string, number][]): Position => new Map(components);

describe("bounds", () => {
  test("more updates than allowed: the oldest go, and the floor moves to the last one that went", () => {
    const window = new Window(limits({ updates: 2 }), at(["e.0", -1]), true);

    for (const offset of [3, 5, 8]) window.push(kept(offset), 0);

    expect(window.floors).toEqual(at(["e.0", 3]));
    expect(framesOf(window, at(["e.0", 3]))).toEqual([kept(5).frame, kept(8).frame]);
  });

  test("more bytes than allowed: the oldest go until it fits", () => {
    const window = new Window(limits({ bytes: 25 }), at(["e.0", -1]), true);

    for (const offset of [1, 2, 3]) window.push(kept(offset), 0);

    expect(window.size).toBe(2);
    expect(window.floors).toEqual(at(["e.0", 1]));
  });

  test("an update larger than the bound leaves the window empty, and its floor at that update", () => {
    const window = new Window(limits({ bytes: 25 }), at(["e.0", -1]), true);

    window.push(kept(1), 0);
    window.push(kept(2, 26), 0);

    expect(window.size).toBe(0);
    expect(window.floors).toEqual(at(["e.0", 2]));
  });

  test("what is older than allowed goes when the window is looked at, without a new update", () => {
    const window = new Window(limits({ ageMs: 1_000 }), at(["e.0", -1]), true);
    window.push(kept(1), 0);
    window.push(kept(2), 500);

    window.expire(1_000);
    expect(window.size).toBe(2);
    window.expire(1_001);

    expect(window.floors).toEqual(at(["e.0", 1]));
  });
});

test("an answer that leads up to the floor makes the window reach further back, within the bounds", () => {
  const window = new Window(limits({ updates: 4 }), at(["e.0", 10]), true);
  window.push(kept(12), 0);
  window.push(kept(14), 0);

  window.prepend(at(["e.0", 3]), [kept(5), kept(7), kept(10), kept(12)], 0);

  expect(window.floors).toEqual(at(["e.0", 5]));
  expect(framesOf(window, window.floors)).toEqual([7, 10, 12, 14].map((offset) => kept(offset).frame));
});

test("[R1] whatever is pushed and dropped, everything after a position that it covers is there, once and in order", () => {
  const push = fc.record({
    epoch: fc.constantFrom("a", "b"),
    step: fc.integer({ min: 1, max: 5 }),
    size: fc.integer({ min: 1, max: 50 }),
    ms: fc.nat(40),
  });
  const bounds = fc.record({
    updates: fc.integer({ min: 1, max: 8 }),
    ageMs: fc.integer({ min: 10, max: 200 }),
    bytes: fc.integer({ min: 20, max: 300 }),
  });
  fc.assert(
    fc.property(
      bounds,
      fc.array(push, { maxLength: 60 }),
      fc.record({ a: fc.nat(100), b: fc.nat(100) }),
      (limits, pushes, from) => {
        const window = new Window(
          limits,
          new Map([
            ["a", -1],
            ["b", -1],
          ]),
          true,
        );
        const all: (Kept & { at: number })[] = [];
        const ends = new Map<string, number>();
        let now = 0;
        for (const { epoch, step, size, ms } of pushes) {
          now += ms;
          const offset = (ends.get(epoch) ?? -1) + step;
          ends.set(epoch, offset);
          const one = kept(offset, size, epoch);
          all.push({ ...one, at: now });
          window.push(one, now);

          const held = all.slice(all.length - window.size);
          const bytes = held.reduce((sum, { frame }) => sum + frame.length, 0);
          expect(window.size).toBeLessThanOrEqual(limits.updates);
          expect(bytes).toBeLessThanOrEqual(limits.bytes);
          // Nothing went that could have stayed.
          const last = all[all.length - window.size - 1];
          if (last !== undefined)
            expect(
              window.size === limits.updates ||
                bytes + last.frame.length > limits.bytes ||
                last.at < now - limits.ageMs ||
                all.slice(0, -window.size || undefined).some((gone) => gone.frame.length > limits.bytes),
            ).toBe(true);
          for (const position of [window.floors, at(["a", from.a], ["b", from.b])]) {
            if (!window.covers(position)) continue;
            const expected = all.filter((one) => one.offset > (position.get(one.epoch) ?? -1));
            expect(framesOf(window, position)).toEqual(expected.map(({ frame }) => frame));
          }
        }
      },
    ),
  );
});

test("[R1] who has nothing is covered only while the key's home is among the floors", () => {
  const elsewhere = new Window(limits({}), at(["e.1", -1]), false);
  expect(elsewhere.covers(at())).toBe(false);
  expect(elsewhere.covers(at(["e.1", 3]))).toBe(true);

  elsewhere.foundHome(at(["e.0", 0], ["e.1", 0]));
  expect(elsewhere.covers(at()), "of the home nothing is vouched for").toBe(false);
  elsewhere.begin("e.0", -1);
  elsewhere.foundHome(at(["e.0", 0], ["e.1", 0]));
  expect(elsewhere.covers(at())).toBe(true);

  elsewhere.confine(at(["e.0", 3], ["e.1", 3]));
  expect(elsewhere.covers(at()), "no floor was taken away").toBe(true);
  elsewhere.confine(at(["e.1", 3]));
  expect(elsewhere.covers(at()), "the home's was").toBe(false);
});
