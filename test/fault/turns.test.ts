import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Part } from "./schedule.ts";
import { Turns } from "./turns.ts";

/** The names of those that have begun, in order. */
function begun() {
  const turns = new Turns();
  const names: string[] = [];
  const take = (name: string, ...parts: Part[]) => void turns.take(parts).then(() => names.push(name));
  return { turns, names, take };
}

test("one fault at a time acts upon a part, in the order of the schedule", async () => {
  const { turns, names, take } = begun();
  take("first", "edge");
  take("second", "edge");
  take("third", "edge");
  await setImmediate();
  expect(names).toEqual(["first"]);
  turns.free(["edge"]);
  await setImmediate();
  expect(names).toEqual(["first", "second"]);
});

test("one that waits for several parts keeps none of them from others", async () => {
  const { turns, names, take } = begun();
  take("restart", "brokers");
  take("slow reader", "edge", "brokers");
  take("crash", "edge");
  await setImmediate();
  expect(names).toEqual(["restart", "crash"]);
  turns.free(["brokers"]);
  await setImmediate();
  expect(names).toEqual(["restart", "crash"]);
  turns.free(["edge"]);
  await setImmediate();
  expect(names).toEqual(["restart", "crash", "slow reader"]);
});
