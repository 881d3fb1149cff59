import { describe, expect, test } from "vitest";
import { again, readFlags } from "./flags.ts";

const NAMES = ["kill -9 of an origin", "kill -9 of all origins", "crash of a shard"];
const flags = (...args: string[]) => readFlags(args, NAMES, 7);

test("without flags all kinds come, for ten minutes, and once alone", () => {
  expect(flags()).toMatchObject({ minutes: 10, alone: 1, seed: 7, kinds: NAMES, brokers: 3, origins: 2 });
  expect(flags().runtimes).toEqual(["workerd", "node"]);
  expect(flags().connections).toEqual({ count: 8, each: 30, over: 1_000 });
});

test("what is given is taken", () => {
  const args =
    "--minutes 0.5 --alone 0 --seed 12 --kinds kill,shard --brokers 1 --origins 1 --runtime node --verbose --connections 1000 --each 50 --over 2000";

  expect(flags(...args.split(" "))).toMatchObject({
    minutes: 0.5,
    alone: 0,
    seed: 12,
    kinds: NAMES,
    brokers: 1,
    origins: 1,
    runtimes: ["node"],
    connections: { count: 1_000, each: 50, over: 2_000 },
    verbose: true,
  });
  expect(flags("--kinds", "crash").kinds).toEqual(["crash of a shard"]);
});

test("how to repeat a run names all that was given, and its seed", () => {
  const args = [
    "--minutes",
    "2",
    "--kinds=one of two,a slice",
    "--readme",
    "--runtime",
    "node,node",
    "--verbose",
  ];
  const told = '--minutes 2 --kinds "one of two,a slice" --runtime node,node --verbose --seed 7';

  expect(again(args, 7)).toBe(told);
  expect(again([...args, "--seed", "3"], 7)).toBe(told);
  expect(again([], 7)).toBe("--seed 7");
});

describe("nonsense is refused in a sentence:", () => {
  test.each([
    ["--minutes", "ten", "above 0"],
    ["--minutes", "0", "above 0"],
    ["--minutes", "1e3", "above 0"],
    ["--minutes", "100000", "up to 1440"],
    ["--minutes", "", "above 0"],
    ["--alone", "1.5", "whole number"],
    ["--alone", "NaN", "whole number"],
    ["--seed", "x", "whole number"],
    ["--seed", "4294967296", "from 0 to 4294967295"],
    ["--brokers", "2", "1 or 3"],
    ["--origins", "0", "1 or 2"],
    ["--connections", "2001", "from 0 to 2000"],
    ["--runtime", "deno", "workerd or node"],
    ["--runtime", "node,", "workerd or node"],
    ["--runtime", "node,node,node", "or two of them"],
    ["--each", "0", "from 1 to 1000"],
    ["--over", "2001", "from 1 to 2000"],
    ["--kinds", "kill,sharks", '"sharks"'],
    ["--kinds", "zebra", '"zebra"'],
    ["--kinds", "kill,", '""'],
  ])("%s %j", (name, value, problem) => {
    expect(() => flags(name, value)).toThrow(problem);
  });

  test.each([[["--minute", "3"]], [["--seed", "-1"]], [["3"]], [["--minutes"]]])("%j", (args) => {
    expect(() => flags(...args)).toThrow();
  });
});
