import { expect, test } from "vitest";
import { left, plan, type Ran, rounds, summary } from "./runs.ts";

const FILES = ["test/a.test.ts", "test/random.test.ts"];
const RUNS = plan(FILES, (file) => file.includes("random"), { histories: 250, chunk: 100, seed: 7 });
const MACHINE = { cores: 2, model: "some model", memoryGiB: 8, node: "v24.0.0" };

function ran(index: number, passed: boolean, commit = "abc"): Ran {
  const run = RUNS[index];
  if (run === undefined) throw new Error("there is no such run");
  return { ...run, passed, tests: 3, seconds: 90, commit, at: `2026-01-0${commit.length - 1}T03:04:05.000Z` };
}

test("random histories run in chunks with seeds of their own, everything else once", () => {
  expect(RUNS).toEqual([
    { file: "test/a.test.ts", histories: 0, seed: 0 },
    { file: "test/random.test.ts", histories: 100, seed: 7 },
    { file: "test/random.test.ts", histories: 100, seed: 8 },
    { file: "test/random.test.ts", histories: 50, seed: 9 },
  ]);
});

test("for a time, chunks of each file follow one another with other seeds, as those of a long run do", () => {
  const files = FILES.slice(1);
  const [first, second] = rounds(files, { chunk: 100, seed: 7 });

  expect([first, second].flat()).toEqual(RUNS.slice(1, 3));
});

test("what has passed isn't run again, what has failed is", () => {
  expect(left(RUNS, [ran(0, true), ran(1, false), ran(3, true)])).toEqual([RUNS[1], RUNS[2]]);
});

test("the summary says what ran, with which seeds, and which of them failed last", () => {
  const all = [ran(0, true), ran(1, false), ran(1, true), ran(2, false), ran(3, true)];

  const text = summary(all, MACHINE);

  expect(text).toContain("on 2 cores (some model) with 8 GiB of memory and Node.js v24.0.0");
  expect(text).toContain("| `test/a.test.ts` | 3 tests |  | 1.5 | 2026-01-02 | abc | passed |");
  expect(text).toContain(
    "| `test/random.test.ts` | 250 random histories | 7–9 | 4.5 | 2026-01-02 | abc | failed with seed 8 |",
  );
});

test("each file is shown as it ran on the commit on which it ran last", () => {
  const text = summary([ran(1, false, "later"), ran(0, true), ran(1, true), ran(2, true)], MACHINE);

  expect(text).toContain("| `test/a.test.ts` | 3 tests |  | 1.5 | 2026-01-02 | abc | passed |");
  expect(text).toContain("| 100 random histories | 7 | 1.5 | 2026-01-04 | later | failed with seed 7 |");
});

test("the summary says what tests measured", () => {
  const measured = { ...ran(0, true), figures: ["5,000 connections: 12 MiB"] };

  expect(summary([ran(0, true)], MACHINE)).not.toContain("measured");
  expect(summary([measured], MACHINE)).toContain(
    "\n\n## What was measured\n\n- `test/a.test.ts`: 5,000 connections: 12 MiB\n",
  );
});
