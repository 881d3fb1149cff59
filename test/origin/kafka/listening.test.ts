/** Whether an answer comes is looked at however many came before it, at the price of few timers. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Listening } from "../../../origin/kafka/listening.ts";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function listening() {
  const told: string[] = [];
  const ear = new Listening({
    listen: () => {},
    failed: (error) => told.push(`failed: ${error.message}`),
    gaveUp: (error) => told.push(`gave up: ${error.message}`),
  });
  return { ear, told };
}

const SILENCE_MS = 3 * TIME_LIMITS.brokerLookMs;

test("silence counts from when an answer was asked for, though a look was due from one before it", () => {
  const { ear, told } = listening();
  ear.begin(SILENCE_MS);
  ear.end();
  vi.advanceTimersByTime(TIME_LIMITS.brokerLookMs / 2);
  ear.begin(SILENCE_MS);

  vi.advanceTimersByTime(SILENCE_MS - 1);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([`failed: the broker has been silent for ${SILENCE_MS} ms`]);
});

test("an answer that is waited for less long is looked at sooner than was due", () => {
  const { ear, told } = listening();
  ear.begin(SILENCE_MS);
  ear.end();
  ear.begin(10);

  vi.advanceTimersByTime(10);

  expect(told).toEqual(["failed: the broker has been silent for 10 ms"]);
});

test("thousands of answers take no timer each, and when none is due any more there is none", () => {
  const { ear, told } = listening();
  for (let i = 0; i < 1_000; i++) {
    ear.begin(SILENCE_MS);
    ear.hear(100);
    ear.end();
    expect(vi.getTimerCount()).toBe(1);
  }

  vi.advanceTimersByTime(TIME_LIMITS.brokerLookMs);

  expect(vi.getTimerCount()).toBe(0);
  expect(told).toEqual([]);
});

test("an answer is given up at a look, if whoever waits for it says so", () => {
  const { ear, told } = listening();
  ear.begin(SILENCE_MS, ({ bytes }) => bytes === 100);
  ear.hear(100);

  vi.advanceTimersByTime(TIME_LIMITS.brokerLookMs);

  expect(told).toEqual(["gave up: the answer was given up to ask for less"]);
});
