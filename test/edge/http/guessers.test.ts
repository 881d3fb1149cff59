/** Whoever makes keys up, as an isolate of the Worker remembers it. */
import { expect, test } from "vitest";
import { Guessers } from "../../../edge/http/guessers.ts";

const A = { key: "192.0.2.1", isOwn: false };
const B = { key: "192.0.2.2", isOwn: false };
const OWN = { key: "127.0.0.1", isOwn: true };
const NOW = 1_000_000;

const missed = (guessers: Guessers, sender: typeof A, times: number) => {
  for (let i = 0; i < times; i++) guessers.missed(sender, NOW);
};

test("[L16] whoever was led to rooms more than 60 times is sent there at once, for a minute, and nobody else is", () => {
  const guessers = new Guessers();
  missed(guessers, A, 60);
  expect(guessers.has(A, NOW)).toBe(false);
  missed(guessers, A, 1);
  expect(guessers.has(A, NOW + 59_999)).toBe(true);
  expect(guessers.has(A, NOW + 60_000)).toBe(false);
  missed(guessers, B, 1);
  expect(guessers.has(B, NOW)).toBe(false);
});

test("[L16] one miss a second is nobody's who makes keys up", () => {
  const guessers = new Guessers();
  for (let i = 0; i < 1_000; i++) guessers.missed(A, NOW + 1_000 * i);
  expect(guessers.has(A, NOW + 1_000_000)).toBe(false);
});

test("[L16] this machine's own addresses are never remembered, and of 10,000 others the one longest ago is forgotten", () => {
  const guessers = new Guessers();
  missed(guessers, OWN, 100);
  expect(guessers.has(OWN, NOW)).toBe(false);
  missed(guessers, A, 61);
  for (let i = 0; i < 9_999; i++) guessers.missed({ key: `other ${i}`, isOwn: false }, NOW);
  expect(guessers.has(A, NOW)).toBe(true);
  guessers.missed(B, NOW);
  expect(guessers.has(A, NOW)).toBe(false);
});
