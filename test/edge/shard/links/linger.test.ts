import { expect, test } from "vitest";
import { Linger } from "../../../../edge/shard/links/linger.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

test("[L5] each ends in time, though another one begins to linger when one ends", () => {
  const clock = new FakeClock();
  const ended: string[] = [];
  const linger = new Linger<string>(clock, 1_000, (left) => {
    ended.push(`${left} at ${clock.now()}`);
    if (left === "first") linger.start("third");
  });
  linger.start("first");
  clock.pass(300);
  linger.start("second");

  clock.pass(5_000);

  expect(ended).toEqual(["first at 1000", "second at 1300", "third at 2000"]);
  expect(clock.pending).toBe(0);
});

test("[L5] one that is ended by another at the same moment doesn't end twice", () => {
  const clock = new FakeClock();
  const ended: string[] = [];
  const linger = new Linger<string>(clock, 1_000, (left) => {
    ended.push(left);
    linger.end("second");
  });
  for (const left of ["first", "second"]) linger.start(left);

  clock.pass(1_000);

  expect(ended).toEqual(["first"]);
});

test("[L5] others end in time, though one fails to", () => {
  const clock = new FakeClock();
  const ended: string[] = [];
  const linger = new Linger<string>(clock, 1_000, (left) => {
    if (left === "first") throw new Error("failed");
    ended.push(left);
  });
  linger.start("first");
  clock.pass(300);
  linger.start("second");
  expect(() => clock.pass(700)).toThrow("failed");

  clock.pass(300);

  expect(ended).toEqual(["second"]);
});

test("[L5] there is a timer only while something lingers", () => {
  const clock = new FakeClock();
  const ended: string[] = [];
  const linger = new Linger<string>(clock, 1_000, (left) => ended.push(left));
  for (const left of ["first", "second"]) linger.start(left);

  linger.end("first");
  expect(clock.pending).toBe(1);
  linger.end("second");

  expect(clock.pending).toBe(0);
  linger.start("third");
  clock.pass(1_000);
  expect(ended).toEqual(["third"]);
  expect(clock.pending).toBe(0);
});
