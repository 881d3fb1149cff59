import { expect, test } from "vitest";
import { type Planned, schedule } from "./schedule.ts";

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
