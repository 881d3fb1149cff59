import { expect, test } from "vitest";
import { readFlags } from "./flags.ts";

const ATTACKS = [
  { name: "deep-value", row: 4 },
  { name: "unread-answers", row: 6 },
  { name: "pings", row: 13 },
  { name: "idle", row: 1 },
];

test("without flags all attacks come, for half a minute each", () => {
  expect(readFlags([], ATTACKS)).toEqual({
    names: ["deep-value", "unread-answers", "pings", "idle"],
    seconds: 30,
    addresses: 1,
    runtime: "workerd",
    checkout: undefined,
    readme: false,
    list: false,
    help: false,
  });
});

test("some are chosen by a part of their names, or by their row, which is meant in full", () => {
  expect(readFlags(["--only", "row1,value"], ATTACKS).names).toEqual(["deep-value", "idle"]);
  expect(readFlags(["--only", "row13, unread"], ATTACKS).names).toEqual(["unread-answers", "pings"]);
});

test.each([
  [["--only", "nothing"], '--only has "nothing"'],
  [["--only", "row2"], '--only has "row2"'],
  [["--only", "pings,"], '--only has ""'],
  [["--seconds", "0"], "--seconds is"],
  [["--seconds", "1.5"], "--seconds is"],
  [["--seconds", "601"], "--seconds is"],
  [["--addresses", "many"], "--addresses is"],
  [["--readme", "--only", "pings"], "--only can't be given"],
  [["--runtime", "deno"], "--runtime is"],
  [["--minutes", "1"], "Unknown option"],
])("%j makes no sense, and is refused with words", (args, problem) => {
  expect(() => readFlags(args, ATTACKS)).toThrow(problem);
});
