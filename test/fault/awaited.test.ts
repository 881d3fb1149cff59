import { expect, test } from "vitest";
import { allCame } from "./awaited.ts";

test("all have come when each has, in whatever order; looking again and again looks at each that has come once", () => {
  const awaited = ["a", "b", "c", "d"];
  const come = new Set<string>();
  const looked: string[] = [];
  const look = () =>
    allCame(awaited, (one) => {
      looked.push(one);
      return come.has(one);
    });

  expect(look()).toBe(false);
  for (const one of ["a", "d", "c"]) {
    come.add(one);
    expect(look()).toBe(false);
  }
  come.add("b");
  expect(look()).toBe(true);
  expect(look()).toBe(true);
  expect(looked).toEqual(["d", "d", "d", "c", "c", "b", "b", "a"]);
});
