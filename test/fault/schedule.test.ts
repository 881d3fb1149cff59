import { describe, expect, test } from "vitest";
import { KINDS as ALL } from "./kinds/kinds.ts";
import { PART_SHARE, type Part, type Plan, type Planned, planOf, schedule } from "./schedule.ts";

const KINDS: readonly Planned[] = [
  { name: "quick", perTenMinutes: 60, lastsMs: 500, parts: ["clients"] },
  { name: "kill", perTenMinutes: 30, lastsMs: 1_500, parts: ["origin"] },
  { name: "pause", perTenMinutes: 10, lastsMs: 8_000, parts: ["origin", "pause"] },
];
const TEN_MINUTES = { seed: 7, fromMs: 5_000, toMs: 605_000 };
const lengthOf = (name: string) => KINDS.find((kind) => kind.name === name)?.lastsMs ?? 0;

test("a seed gives the same schedule again, another seed another one", () => {
  expect(schedule(KINDS, TEN_MINUTES)).toEqual(schedule(KINDS, TEN_MINUTES));
  expect(schedule(KINDS, { ...TEN_MINUTES, seed: 8 })).not.toEqual(schedule(KINDS, TEN_MINUTES));
});

test("every kind comes as often as was asked, within the time, and at least once in a short one", () => {
  const injections = schedule(KINDS, TEN_MINUTES);
  const count = (kind: string) => injections.filter((one) => one.kind === kind).length;
  expect(KINDS.map(({ name }) => count(name))).toEqual([60, 30, 10]);
  expect(injections[0]?.atMs).toBeGreaterThanOrEqual(5_000);
  expect(injections.map(({ atMs }) => atMs)).toEqual(
    injections.map(({ atMs }) => atMs).sort((a, b) => a - b),
  );

  const short = schedule(KINDS, { seed: 1, fromMs: 0, toMs: 20_000 });
  expect(new Set(short.map(({ kind }) => kind)).size).toBe(3);
});

test("two that act on the same part don't overlap; others do", () => {
  const injections = schedule(KINDS, TEN_MINUTES);
  const overlapping = (a: string, b: string) =>
    injections.some((one) =>
      injections.some(
        (other) =>
          other !== one &&
          one.kind === a &&
          other.kind === b &&
          other.atMs >= one.atMs &&
          other.atMs < one.atMs + lengthOf(a),
      ),
    );
  expect(overlapping("kill", "pause")).toBe(false);
  expect(overlapping("pause", "kill")).toBe(false);
  expect(overlapping("pause", "quick")).toBe(true);
});

describe("ten minutes of all kinds, by a thousand seeds:", () => {
  const SPAN = { alone: 1, fromMs: 2_000, toMs: 600_000 };
  const plans = Array.from({ length: 1_000 }, (_, seed) => planOf(ALL, { seed, ...SPAN }));
  const lasts = new Map(ALL.map(({ name, lastsMs }) => [name, lastsMs]));
  const overAt = ({ together }: Plan) =>
    Math.max(...together.map(({ atMs, kind }) => atMs + (lasts.get(kind) ?? 0)));

  test("each kind comes together with others, and then by itself", () => {
    const names = ALL.map(({ name }) => name).sort();
    for (const { together, alone } of plans) {
      expect([...new Set(together.map(({ kind }) => kind))].sort()).toEqual(names);
      expect(alone.map(({ kind }) => kind).sort()).toEqual(names);
    }
  });

  test("no part is kept beyond its share, nor by two at once", () => {
    const parts = [...new Set(ALL.flatMap((kind) => kind.parts))];
    const namesOf = new Map(
      parts.map((part) => [part, ALL.filter((kind) => kind.parts.includes(part)).map(({ name }) => name)]),
    );
    const onPart = ({ together }: Plan, part: Part) =>
      together
        .filter(({ kind }) => namesOf.get(part)?.includes(kind))
        .map(({ atMs, kind }) => ({ atMs, lastsMs: lasts.get(kind) ?? 0 }));
    const shares = plans.flatMap((plan) =>
      parts.map((part) => {
        const kept = onPart(plan, part).reduce((sum, { lastsMs }) => sum + lastsMs, 0);
        return kept / (plan.togetherMs - SPAN.fromMs);
      }),
    );
    expect(Math.max(...shares)).toBeLessThanOrEqual(PART_SHARE);
    const pauses = plans.flatMap((plan) =>
      parts.flatMap((part) => {
        const all = onPart(plan, part);
        return all.slice(1).map(({ atMs }, i) => atMs - (all[i]?.atMs ?? 0) - (all[i]?.lastsMs ?? 0));
      }),
    );
    // Times are sums of fractions.
    expect(pauses.reduce((least, one) => Math.min(least, one))).toBeGreaterThan(-0.001);
  });

  test("all are over in time, and there are hundreds", () => {
    for (const plan of plans) {
      expect(overAt(plan)).toBeLessThanOrEqual(plan.togetherMs);
      expect(plan.endMs).toBeLessThanOrEqual(600_000);
      expect(plan.together.length).toBeGreaterThan(300);
    }
  });

  test("what takes little goes on as often as was asked", () => {
    const seldom = plans.flatMap(({ together, togetherMs }) =>
      ALL.filter(({ lastsMs }) => lastsMs <= 1_000).flatMap(({ name, perTenMinutes }) => {
        const asked = Math.round((perTenMinutes * (togetherMs - SPAN.fromMs)) / 600_000);
        const times = together.filter(({ kind }) => kind === name).length;
        return times < asked ? [`${name}: ${times} of ${asked}`] : [];
      }),
    );
    expect(seldom).toEqual([]);
  });
});

test("a run too short for one of each has it all the same, and each begins within it", () => {
  for (let seed = 0; seed < 100; seed++) {
    const { together, endMs } = planOf(ALL, { seed, alone: 0, fromMs: 2_000, toMs: 20_000 });
    expect(new Set(together.map(({ kind }) => kind)).size).toBe(ALL.length);
    expect(together.every(({ atMs }) => atMs >= 2_000 && atMs <= 20_000)).toBe(true);
    expect(endMs).toBe(20_000);
  }
});

test("those that come by themselves make a run longer only where they would leave too little to the others", () => {
  const plan = (alone: number) => planOf(KINDS, { seed: 1, alone, fromMs: 0, toMs: 60_000 });
  expect(plan(1)).toMatchObject({ togetherMs: 60_000 - 14_500, endMs: 60_000 });
  expect(plan(4)).toMatchObject({ togetherMs: 21_000, endMs: 21_000 + 4 * 14_500 });
});
