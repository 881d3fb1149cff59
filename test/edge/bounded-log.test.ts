import { expect, test } from "vitest";
import { BoundedLog } from "../../edge/bounded-log.ts";

const NOW = 1_000_000;

test("so many lines are told in a second, and how many were not stands behind the next", () => {
  const log = new BoundedLog({ perSecond: 1, burst: 2 });
  const lines = ["a", "b", "c", "d"].map((line) => log.line(line, NOW));
  expect(lines).toEqual(["a", "b", undefined, undefined]);
  expect(log.line("e", NOW + 1_000)).toBe("e (and 2 before, of which nothing is told)");
  expect(log.line("f", NOW + 2_000)).toBe("f");
});

test("what is long is cut, and nothing in it passes for another line or for a terminal's command", () => {
  const log = new BoundedLog({ perSecond: 1, burst: 10 });
  expect(log.line("x".repeat(10_000), NOW)?.length).toBe(2_001);
  expect(log.line("bad\nan origin was refused: nobody\u001b[2J\r", NOW)).toBe(
    "bad\\nan origin was refused: nobody?[2J?",
  );
  expect(log.line("Error: bad\n    at here\n    at there", NOW)).toBe(
    "Error: bad\n    at here\n    at there",
  );
});
