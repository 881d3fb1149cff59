import { describe, expect, test } from "vitest";
import { BrokerLine } from "../../../origin/kafka/broker-line.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Answers as large as they may be, over a line of so many bytes a second. Returns how long each took. */
function answer(line: BrokerLine, bytesPerSecond: number, times: number): number[] {
  return Array.from({ length: times }, () => {
    const { maxBytes } = line.bounds;
    const ms = (maxBytes / bytesPerSecond) * 1_000;
    line.answered({ bytes: maxBytes, ms, longestGapMs: 10 });
    return ms;
  });
}

test.each([20 * KIB, 100 * KIB, MIB, 4 * MIB])(
  "over a line of %d bytes a second each answer comes to take a second or two, and no less than that needs",
  (bytesPerSecond) => {
    const line = new BrokerLine();

    const took = answer(line, bytesPerSecond, 50).slice(20);

    for (const ms of took) expect(ms).toSatisfy((taken: number) => taken > 400 && taken <= 2_000);
  },
);

test("the first answer is small; over a fast line they get as large as they may within a few", () => {
  const line = new BrokerLine();
  expect(line.bounds).toEqual({ maxBytes: 64 * KIB, partitionMaxBytes: 64 * KIB, silenceMs: 3_000 });

  answer(line, 100 * MIB, 8);

  expect(line.bounds).toEqual({ maxBytes: 8 * MIB, partitionMaxBytes: MIB, silenceMs: 3_000 });
});

test("they shrink when the line gets slow, to a size that any line brings, and grow again", () => {
  const line = new BrokerLine();
  answer(line, 100 * MIB, 8);

  answer(line, KIB, 3);
  expect(line.bounds.maxBytes).toBe(16 * KIB);

  answer(line, 100 * MIB, 10);
  expect(line.bounds.maxBytes).toBe(8 * MIB);
});

test("one batch that is larger than was asked for shrinks them by its rate, and by no more", () => {
  const line = new BrokerLine();
  answer(line, 100 * MIB, 8);

  line.answered({ bytes: 50 * MIB, ms: 50_000, longestGapMs: 100 });

  expect(line.bounds.maxBytes).toBe(MIB);
});

test("small answers change nothing, since they say nothing of the line", () => {
  const line = new BrokerLine();

  for (let i = 0; i < 100; i++) line.answered({ bytes: 200, ms: 0, longestGapMs: 0 });

  expect(line.bounds.maxBytes).toBe(64 * KIB);
});

test("a broker is given twice as long after each silence, up to 10 s, and as long as before once it answers", () => {
  const line = new BrokerLine();
  const allowed = [1, 2, 3].map(() => {
    line.silent();
    return line.bounds.silenceMs;
  });

  expect(allowed).toEqual([6_000, 10_000, 10_000]);
  line.answered({ bytes: 200, ms: 0, longestGapMs: 0 });
  expect(line.bounds.silenceMs).toBe(3_000);
});

test("a line that halts is given twice as long as it halted", () => {
  const line = new BrokerLine();

  line.answered({ bytes: 200, ms: 10_000, longestGapMs: 2_500 });

  expect(line.bounds.silenceMs).toBe(5_000);
});

describe("an answer is given up", () => {
  test("if it has come for long, and would for as long again", () => {
    expect(BrokerLine.isHopeless({ bytes: MIB, ms: 10_001, longestGapMs: 10 }, 8 * MIB, 8 * MIB)).toBe(true);
  });

  test.each([
    ["its end is near", { bytes: 5 * MIB, ms: 10_001 }, 8 * MIB],
    ["it hasn't come for long", { bytes: 1, ms: 9_000 }, 8 * MIB],
    [
      "it is one batch that is larger than was asked for, which would come again",
      { bytes: 1, ms: 60_000 },
      9 * MIB,
    ],
  ])("not if %s", (_, heard, all) => {
    expect(BrokerLine.isHopeless({ ...heard, longestGapMs: 10 }, 8 * MIB, all)).toBe(false);
  });

  test("and then less is asked for, as the line was", () => {
    const line = new BrokerLine();
    answer(line, 100 * MIB, 8);

    line.gaveUp({ bytes: MIB, ms: 10_000, longestGapMs: 10 });

    expect(line.bounds.maxBytes).toBeLessThan(110 * KIB);
  });
});
