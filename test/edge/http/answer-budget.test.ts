/** What large answers that nobody takes may hold. */
import { expect, test } from "vitest";
import { AnswerBudget } from "../../../edge/http/answer-budget.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";

const NOW = 1_000_000;
const [a, b, c] = [{}, {}, {}];

test("there are no more at once than there is room for; one alone always has", () => {
  const budget = new AnswerBudget(10);
  expect(budget.begin(a, 12, NOW)).toBe(true);
  expect(budget.begin(b, 1, NOW)).toBe(false);
  budget.end(a, NOW);
  expect(budget.begin(b, 6, NOW)).toBe(true);
  expect(budget.begin(c, 4, NOW)).toBe(true);
});

test("if the largest finds no room, none is asked for", () => {
  const budget = new AnswerBudget(2 * LIMITS.valueBytes);
  expect(budget.refuses(NOW)).toBe(false);
  budget.begin(a, LIMITS.valueBytes, NOW);
  expect(budget.refuses(NOW)).toBe(false);
  budget.begin(b, 1, NOW);
  expect(budget.refuses(NOW)).toBe(true);
});

test("one counts for what of it hasn't been taken", () => {
  const budget = new AnswerBudget(10);
  budget.begin(a, 10, NOW);
  budget.goesOn(a, 4, 0, NOW);
  expect(budget.begin(b, 6, NOW)).toBe(true);
});

test("one that takes nothing is ended after 30 s, and after a second while others are refused for it", () => {
  const budget = new AnswerBudget(10);
  budget.begin(a, 10, NOW);
  expect(budget.goesOn(a, 10, 29_999, NOW)).toBe(true);
  expect(budget.goesOn(a, 10, 30_000, NOW)).toBe(false);

  budget.refused(NOW);
  expect(budget.goesOn(a, 10, 999, NOW)).toBe(true);
  expect(budget.goesOn(a, 10, 1_000, NOW)).toBe(false);
});

test("one that no longer says that it is there counts no more", () => {
  const budget = new AnswerBudget(10);
  budget.begin(a, 10, NOW);
  expect(budget.begin(b, 10, NOW + 3_000)).toBe(false);
  expect(budget.begin(b, 10, NOW + 3_001)).toBe(true);
});
