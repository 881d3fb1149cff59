/** When workerd is started again. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Ends, keepRunning, MOST_ENDS } from "../../edge/local/keeping.ts";
import type { End, Workerd } from "../../edge/local/workerd.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const KILLED = { how: "was ended by SIGTERM", isCrash: false };
const CRASH = { how: "ended with exit code 1", isCrash: true };

/** Runs one workerd after the other, as each is described. */
async function runAll(
  lives: readonly { readonly says?: string; readonly listens?: false; readonly end: End | "goes on" }[],
  { isGated = false, isOneOfSeveral = false } = {},
) {
  const gated: boolean[] = [];
  const told: string[] = [];
  let life = 0;
  const run = async (isGated: boolean, hear: (line: string) => void): Promise<Workerd> => {
    gated.push(isGated);
    const { says, listens, end } = lives[life++] ?? { end: CRASH };
    if (says !== undefined) hear(says);
    const listening = listens === false ? new Promise<number>(() => {}) : Promise.resolve(1);
    if (end !== "goes on") return { pid: 1, listening, ended: later(end), stop: async () => {} };
    const { promise: ended, resolve } = Promise.withResolvers<End>();
    return { pid: 1, listening, ended, stop: async () => resolve(KILLED) };
  };
  const done = keepRunning({
    name: "workerd",
    isGated,
    isOneOfSeveral,
    run,
    isStopping: () => false,
    tell: (line) => told.push(line),
    now: () => Date.now(),
  });
  await vi.runAllTimersAsync();
  return { why: await done, lives: life, gated, told };
}

const later = (end: End) => new Promise<End>((resolve) => setTimeout(() => resolve(end), 10));

test("one that ends by itself is started again, a few times within a minute, and each time that is told", async () => {
  const { why, gated, told } = await runAll([]);
  expect(gated.length).toBe(MOST_ENDS);
  expect(told.length).toBe(MOST_ENDS - 1);
  expect(told[0]).toMatch(/^workerd ended with exit code 1; it is started again in 0.25 s/);
  expect(why).toBe("ended with exit code 1, 5 times within a short time");
});

test("one that somebody ends, or that never listens, isn't", async () => {
  const killed = await runAll([{ end: { how: "was ended by SIGKILL", isCrash: false } }]);
  expect([killed.why, killed.gated.length]).toEqual(["was ended by SIGKILL", 1]);

  const broken = await runAll([{ listens: false, end: CRASH }]);
  expect([broken.why, broken.gated.length]).toEqual(["ended with exit code 1", 1]);
});

test("one of several is, whoever ends it, once it has listened", async () => {
  const killed = { how: "was ended by SIGKILL", isCrash: false };
  const several = await runAll([{ end: killed }, { listens: false, end: killed }], { isOneOfSeveral: true });
  expect([several.why, several.lives]).toEqual([`${CRASH.how}, 5 times within a short time`, MOST_ENDS]);

  const broken = await runAll([{ listens: false, end: killed }], { isOneOfSeveral: true });
  expect([broken.why, broken.lives]).toEqual([killed.how, 1]);
});

test("one that ran out of open files is started again behind the gate, and stays there", async () => {
  const says = "accept(): Too many open files";
  const { gated, told } = await runAll([{ end: CRASH }, { says, end: CRASH }]);
  expect(gated).toEqual([false, false, true, true, true]);
  expect(told.filter((line) => line.includes("no more files"))).toHaveLength(1);
});

test("one that goes on without open files is ended, and started again behind the gate", async () => {
  const says = "HTTP connection failed: dup(): Too many open files (os error 24)";
  const { why, gated, told } = await runAll([{ says, end: "goes on" }, { end: KILLED }]);
  expect(gated).toEqual([false, true]);
  expect(told[0]).toMatch(/^workerd dropped each new connection; it is started again in 0.25 s/);
  expect(why).toBe("was ended by SIGTERM");
});

test("pauses double, and who has run for long begins anew", () => {
  const ends = new Ends();
  expect([0, 0, 0, 0].map((at) => ends.pauseAfter(at))).toEqual([250, 500, 1_000, 2_000]);
  expect(ends.pauseAfter(59_999)).toBeUndefined();
  expect(new Ends().pauseAfter(0)).toBe(250);
  const later = new Ends();
  for (let at = 0; at < 4; at++) later.pauseAfter(0);
  expect(later.pauseAfter(60_000)).toBe(250);
});
