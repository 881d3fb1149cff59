import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ATTACKS, DOCUMENT, dollarsADay, renewed } from "./estimate-attacks.ts";

const text = readFileSync(join(import.meta.dirname, "../..", DOCUMENT), "utf8");
const attack = (beginning: string) => {
  const found = ATTACKS.find(({ what }) => what.startsWith(beginning));
  if (found === undefined) throw new Error(`no attack ${beginning}`);
  return found;
};

test("the document says what the estimate does: npm run shapes", () => {
  expect(renewed(text)).toBe(text);
  expect(() => renewed("no table here")).toThrow(DOCUMENT);
});

test("subscribes to keys without a record cost what the arithmetic by hand gives: two requests each, and no row", () => {
  const times = 100 * 86_400;
  const { lower, upper } = dollarsADay(attack("subscribes to keys without"), 1);
  // Of the Worker with its CPU, and to the room.
  const floor = 0.3e-6 + 0.5 * 0.02e-6 + 0.15e-6;
  // 50 in a second come to each of two rooms, each of which has a message every 25 ms.
  const gathered = 40 / 50;
  const [up, down] = [gathered, 2 * gathered];
  // A twentieth of what is said on link and uplink; or all that is said on links may be billed by the message.
  const least = floor + ((up + down + gathered) / 20) * 0.15e-6;
  expect(lower / (times * least)).toBeCloseTo(1, 2);
  expect(upper / (times * (floor + (up + down + gathered / 20) * 0.15e-6))).toBeCloseTo(1, 2);

  // A thousand addresses fill messages: what is left is the two requests.
  const thousand = dollarsADay(attack("subscribes to keys without"), 1_000);
  for (const dollars of [thousand.lower, thousand.upper]) {
    expect(dollars / (1_000 * times * floor)).toBeGreaterThan(1);
    expect(dollars / (1_000 * times * floor)).toBeLessThan(1.04);
  }
});

test("slow ones cost two objects and a question more, and rows only what all rooms write", () => {
  const slow = dollarsADay(attack("the same so slowly"), 1);
  const floor = 0.3e-6 + 0.5 * 0.02e-6 + 2 * 0.15e-6 + 0.15e-6;
  expect(slow.lower / (86_400 * (floor + ((2 + 2 + 1 + 1) / 20) * 0.15e-6))).toBeCloseTo(1, 2);
  const written = attack("subscribes to such keys in each room");
  const each = 0.3e-6 + 0.5 * 0.02e-6 + 0.15e-6 + ((2 + 2 + 1 + 2) / 20) * 0.15e-6 + 2 * 1e-6;
  expect(dollarsADay(written, 1).lower / ((32 / 5) * 86_400 * each)).toBeCloseTo(1, 2);
  expect(dollarsADay(written, 1_000)).toEqual(dollarsADay(written, 1));
});

test("a refused request costs a request of the Worker, and a thousand addresses a thousand times as much", () => {
  const refused = attack("requests past a quota");
  const { lower, upper } = dollarsADay(refused, 1);
  expect(upper).toBe(lower);
  expect(lower).toBeCloseTo(86.4e6 * (0.3e-6 + 0.5 * 0.02e-6), 6);
  expect(dollarsADay(refused, 1_000).lower).toBeCloseTo(1_000 * lower, 3);
});

test("of lists on connections of many endpoints two subscribes each are asked about, and all are billed as messages", () => {
  const { lower } = dollarsADay(attack("lists of 100"), 1);
  // The list, two questions to shards, two answers to them and two from them.
  const each = ((1 + 2 + 2 + 2) / 20) * 0.15e-6;
  expect(lower / (1_000 * 86_400 * each)).toBeCloseTo(1, 1);
});

test("frames that all connections may send are billed 20:1, and those of event streams are the Worker's CPU", () => {
  const frames = dollarsADay(attack("frames on"), 1);
  // 1,000 pass, 100 are refused and forgiven, and 100 connections are opened that send one.
  expect(frames.lower / (((1_200 * 86_400) / 20) * 0.15e-6)).toBeCloseTo(1, 1);
  expect(dollarsADay(attack("1,000 event streams"), 1).lower).toBeGreaterThan(0);
});
