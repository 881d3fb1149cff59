import { describe, expect, test } from "vitest";
import { type Audience, type Choice, layoutOf, SHAPES, type Shape } from "./layouts.ts";

const audience: Audience = {
  endpoints: 10_000,
  popularity: "even",
  rate: 1,
  connections: 1_000_000,
  each: 1,
  regions: 9,
  messageBytes: 250,
};
const choice: Choice = { shape: "direct", shards: 4, gatherMs: 25 };
const layout = (shape: Shape, more: Partial<Audience> = {}, other: Partial<Choice> = {}) =>
  layoutOf({ ...audience, ...more }, { ...choice, ...other, shape });

describe("no object holds more than the platform allows", () => {
  test.each(["relays", "buckets", "shards"] as const)("%s", (shape) => {
    for (const connections of [1, 1_000, 1_000_000])
      for (const popularity of ["even", "zipf"] as const) {
        const fullest = layout(shape, { connections, popularity })?.fullest;
        // Of Zipf's first endpoint one shard can't hold a tenth of a million.
        if (fullest === undefined) continue;
        expect(fullest.sockets).toBeLessThanOrEqual(32_000);
        expect(fullest.messages).toBeLessThanOrEqual(1_000);
        expect(fullest.bytes).toBeLessThanOrEqual(128 * 1024 * 1024);
        expect(fullest.cores).toBeLessThanOrEqual(1);
      }
  });

  test("relays of connections with many endpoints, which are bounded by these", () => {
    const slow = layout("relays", { each: 500, connections: 100_000, rate: 0.001 })?.fullest;
    expect(slow?.subscriptions).toBeLessThanOrEqual(200_000);
    expect(slow?.subscriptions).toBeGreaterThan(100_000);
  });
});

test("every connection is held, and by the shape's own objects", () => {
  for (const shape of Object.keys(SHAPES) as Shape[]) {
    expect(layout(shape)?.connections).toBeCloseTo(1_000_000, 3);
    expect(layout(shape, { connections: 0 })).toMatchObject({ connections: 0, links: 0 });
  }
  expect(layout("direct")).toMatchObject({ objects: 10_000, links: 10_000, shards: 4 });
  expect(layout("direct", { each: 50, connections: 20_000 })?.connections).toBe(1_000_000);
  expect(layout("shards")).toMatchObject({ objects: 0, links: 0 });
});

test("relays have a link to each shard, and a region has one of them at least", () => {
  const few = layout("relays", { connections: 100 });
  expect(few).toMatchObject({ objects: 9, links: 36 });
  expect(layout("relays", { connections: 100, regions: 1 })).toMatchObject({ objects: 1, links: 4 });
});

test("a bucket has one link, however many shards there are", () => {
  for (const shards of [1, 16, 64]) {
    const buckets = layout("buckets", {}, { shards });
    expect(buckets?.links).toBe(buckets?.objects);
    expect(buckets?.watches).toBeCloseTo(10_000, 6);
  }
});

test("relays of an endpoint hold those for whom its own object has no room, in each region as many as it takes", () => {
  expect(layout("both")).toEqual(layout("direct"));
  const zipf = layout("both", { popularity: "zipf" });
  expect(zipf?.fullest.sockets).toBe(20_000);
  expect(zipf?.connections).toBeCloseTo(1_000_000, 3);
  // Five endpoints have more than 20,000.
  expect(zipf?.objects).toBe(10_000 + 5 * 9);
  expect(layout("both", { popularity: "zipf", regions: 1 })?.objects).toBe(10_000 + 5 + 2 + 1 + 1 + 1);
  expect(layout("both", { each: 2 })).toEqual(layout("relays", { each: 2 }));
});

test("an endpoint that a shard can't hold, and connections of many endpoints, aren't for shards and buckets", () => {
  expect(layout("shards", { popularity: "zipf" })).toBeUndefined();
  expect(layout("shards", { each: 2 })).toBeUndefined();
  expect(layout("buckets", { each: 2 })).toBeUndefined();
});

test("what a link gathers costs fewer messages, and sockets get fewer, too", () => {
  const [short, long] = [25, 100].map((gatherMs) => layout("relays", { each: 50 }, { gatherMs }));
  expect((short?.linkMessages.expected ?? 0) / (short?.links ?? 1)).toBeCloseTo(40, 6);
  expect((long?.linkMessages.expected ?? 0) / (long?.links ?? 1)).toBeCloseTo(10, 6);
  // 50 updates a second of each, in 160 messages a second or in 40.
  expect((short?.deliveries.expected ?? 0) / 1e6).toBeCloseTo(160 * (1 - Math.exp(-50 / 160)), 3);
  expect((long?.deliveries.expected ?? 0) / 1e6).toBeCloseTo(40 * (1 - Math.exp(-50 / 40)), 3);
});
