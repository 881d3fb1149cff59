import { expect, test } from "vitest";
import { Calm } from "./calm.ts";

test("what is longest without a fault at work counts, of faults that overlap from the end of the last", () => {
  const calm = new Calm(0);
  calm.begins(100);
  calm.begins(110);
  calm.ends(120);
  expect(calm.longest(90, 130)).toBe(10);

  calm.ends(200);
  expect(calm.longest(150, 230)).toBe(30);
  expect(calm.longest(210, 230)).toBe(20);

  calm.begins(300);
  calm.ends(300);
  expect(calm.longest(150, 320), "the one before a fault that is over at once").toBe(100);
  expect(calm.longest(20, 320)).toBe(100);
});
