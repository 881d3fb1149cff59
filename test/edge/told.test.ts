import { expect, test } from "vitest";
import { Told } from "../../edge/told.ts";

const NOW = 1_000_000;

test("so many lines are told in a second, and how many were not stands behind the next", () => {
  const told = new Told({ perSecond: 1, burst: 2 });
  const lines = ["a", "b", "c", "d"].map((line) => told.line(line, NOW));
  expect(lines).toEqual(["a", "b", undefined, undefined]);
  expect(told.line("e", NOW + 1_000)).toBe("e (and 2 before, of which nothing is told)");
  expect(told.line("f", NOW + 2_000)).toBe("f");
});

test("what is long is cut, and nothing in it passes for another line or for a terminal's command", () => {
  const told = new Told({ perSecond: 1, burst: 10 });
  expect(told.line("x".repeat(10_000), NOW)?.length).toBe(2_001);
  expect(told.line("bad\nan origin was refused: nobody\u001b[2J\r", NOW)).toBe(
    "bad\\nan origin was refused: nobody?[2J?",
  );
  expect(told.line("Error: bad\n    at here\n    at there", NOW)).toBe(
    "Error: bad\n    at here\n    at there",
  );
});
