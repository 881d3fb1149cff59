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
  // Of the Worker with its CPU, to the room; a twentieth of what is said on link and uplink.
  const each = 0.3e-6 + 0.5 * 0.02e-6 + 0.15e-6 + ((2 + 2 + 1) / 20) * 0.15e-6;
  expect(lower / (times * each)).toBeCloseTo(1, 2);
  // All that is said on links may be billed by the message. The room is kept awake by none of it.
  expect(upper / (times * (each + (4 - 4 / 20) * 0.15e-6))).toBeCloseTo(1, 1);
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

test("frames that a connection may send are billed 20:1, and those of event streams are the Worker's CPU", () => {
  const frames = dollarsADay(attack("frames on"), 1);
  expect(frames.lower).toBeGreaterThan(((20_000 * 86_400) / 20) * 0.15e-6);
  expect(dollarsADay(attack("1,000 event streams"), 1).lower).toBeGreaterThan(0);
});
