import { describe, expect, test } from "vitest";
import { seeded } from "../load/chance.ts";
import { leavesAt, messagesFor, messagesPerSecond, mostMessagesPerSecond } from "./gathering.ts";
import { simulate } from "./simulation.ts";

test("what comes to a quiet link leaves at once, and what comes sooner than the set time waits for its end", () => {
  expect(leavesAt(1_000, Number.NEGATIVE_INFINITY, 25)).toBe(1_000);
  expect(leavesAt(1_001, 1_000, 25)).toBe(1_025);
  expect(leavesAt(1_025, 1_000, 25)).toBe(1_025);
  expect(leavesAt(1_026, 1_000, 25)).toBe(1_026);
});

describe("messages of a link", () => {
  test("are as many as its updates if these are few, and one for each set time if they are many", () => {
    expect(messagesPerSecond(0, 25)).toBe(0);
    expect(messagesPerSecond(0.1, 25)).toBeCloseTo(0.1, 3);
    expect(messagesPerSecond(10_000, 25)).toBeCloseTo(40, 6);
    expect(messagesPerSecond(7, 0)).toBeCloseTo(7, 9);
  });

  test("are never more than the most that there can be", () => {
    for (const updates of [0.01, 1, 30, 40, 50, 1_000])
      for (const gatherMs of [0, 1, 25, 1_000])
        expect(messagesPerSecond(updates, gatherMs)).toBeLessThanOrEqual(
          mostMessagesPerSecond(updates, gatherMs) + 1e-9,
        );
  });
});

describe("in virtual time", () => {
  const object = { links: 2, watches: 400, rate: 0.5, gatherMs: 25, connections: 300, each: 20 };

  test.each([
    ["a relay", object],
    ["a relay of slow endpoints", { ...object, rate: 0.02 }],
    ["a relay with one link", { ...object, links: 1, gatherMs: 100 }],
    [
      "an object of a few popular endpoints",
      { ...object, links: 1, watches: 20, connections: 5_000, each: 1 },
    ],
    ["an object that nothing is gathered for", { ...object, links: 1, watches: 50, gatherMs: 0, each: 1 }],
  ])("%s is sent as many messages, and sends as many, as is reckoned", (_, one) => {
    const seen = simulate(one, 40_000 / (one.watches * one.rate), seeded(3));

    const messages = one.links * messagesPerSecond((one.watches * one.rate) / one.links, one.gatherMs);
    expect(seen.messages / messages).toBeGreaterThan(0.96);
    expect(seen.messages / messages).toBeLessThan(1.04);
    const deliveries = one.connections * messagesFor(one.each * one.rate, messages);
    expect(seen.deliveries / deliveries).toBeGreaterThan(0.93);
    expect(seen.deliveries / deliveries).toBeLessThan(1.07);
  });

  test("no update waits at its shard for longer than the set time, and one on a quiet link doesn't wait", () => {
    const busy = simulate(object, 50, seeded(4));
    expect(busy.gathered.p50).toBeGreaterThan(10);
    expect(busy.gathered.p99).toBeLessThanOrEqual(25);
    const quiet = simulate({ ...object, rate: 0.001 }, 2_000, seeded(4));
    expect(quiet.gathered.p50).toBe(0);
  });

  test("an object that has more to do than a core can is late ever more", () => {
    const much = { ...object, connections: 30_000 };
    const [soon, later] = [simulate(much, 5, seeded(5)), simulate(much, 50, seeded(5))];
    expect(soon.busy).toBeGreaterThan(1);
    expect(later.queued.p50).toBeGreaterThan(5 * soon.queued.p50);
  });
});
