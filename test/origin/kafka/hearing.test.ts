import { describe, expect, test } from "vitest";
import { Hearing, type LookResult } from "../../../origin/kafka/hearing.ts";

const SILENCE_MS = 3_000;

/**
 * Bytes come at these times; whoever listens looks when it was told to. Returns what came of it, and when: "goes on" if
 * it hadn't ended by `until`.
 */
function listen(heard: readonly (readonly [at: number, bytes: number])[], until: number, lateMs = 0) {
  const hearing = new Hearing(0, SILENCE_MS);
  const left = [...heard];
  let at = hearing.firstLookMs;
  for (;;) {
    const now = at + lateMs;
    if (now > until) return { verdict: "goes on", at: until, heard: hearing.heard };
    // What came while the listener was late is read after its look.
    for (; left[0] !== undefined && left[0][0] <= at; left.shift()) hearing.hear(...left[0]);
    const verdict: LookResult = hearing.look(now);
    if (typeof verdict === "string") return { verdict, at: now, heard: hearing.heard };
    at = now + verdict.lookInMs;
  }
}

const every = (ms: number, bytes: number, from: number, to: number) =>
  Array.from({ length: Math.ceil((to - from) / ms) }, (_, i) => [from + i * ms, bytes] as const);

describe("a deadline is for silence:", () => {
  test("of what says nothing it is noticed as soon as it has passed", () => {
    expect(listen([], 60_000)).toMatchObject({ verdict: "silent", at: SILENCE_MS });
  });

  test("of what stops in the middle, too", () => {
    const { verdict, at } = listen(every(1_000, 10_000, 1_000, 20_000), 60_000);

    expect({ verdict, at }).toEqual({ verdict: "silent", at: 22_000 });
  });

  test.each([
    ["slow", every(1_000, 1_000, 1_000, 3_600_000)],
    ["in bursts", every(2_900, 100_000, 2_900, 3_600_000)],
    ["hardly more than a trickle", every(2_500, 400, 2_500, 3_600_000)],
  ])("an answer that keeps coming may take an hour: %s", (_, heard) => {
    expect(listen(heard, 3_600_000).verdict).toBe("goes on");
  });

  test("what only drips isn't an answer", () => {
    expect(listen(every(1_000, 100, 1_000, 600_000), 600_000)).toMatchObject({ verdict: "trickle" });
  });

  test("what stops after a long while of bytes is noticed, however much had come", () => {
    expect(
      listen([...every(100, 100_000, 100, 60_000), ...every(1_000, 1, 60_000, 600_000)], 600_000),
    ).toMatchObject({ verdict: "trickle" });
  });

  test("time in which the listener itself didn't run doesn't count", () => {
    expect(listen(every(1_000, 10_000, 1_000, 60_000), 50_000, 5_000).verdict).toBe("goes on");
  });

  test("what was waited for before the first byte is not part of how an answer came", () => {
    const hearing = new Hearing(0, SILENCE_MS);
    for (const at of [2_000, 2_100, 2_900, 3_000]) hearing.hear(at, 10);

    expect(hearing.heard).toEqual({ bytes: 40, ms: 1_000, longestGapMs: 800 });
  });
});
