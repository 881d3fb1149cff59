import { describe, expect, test } from "vitest";
import { OPERATIONS } from "../../edge/operations.ts";
import { ASSUMPTIONS, type Assumption, HARSHEST, KINDEST, turned } from "./estimate-assumptions.ts";
import { eventsOf, MONTH_SECONDS, operationsOf, type Plan } from "./estimate-events.ts";
import { limitsOf } from "./estimate-limits.ts";
import { MEASURED } from "./estimate-measured.ts";
import { estimate } from "./estimate-model.ts";
import { readPlan } from "./estimate-plan.ts";
import { reportOn, textOf } from "./estimate-report.ts";
import { dollarsOf, shapesFor } from "./estimate-shapes.ts";
import { monthlyBill, PRICES } from "./prices.ts";

const plan: Plan = {
  endpoints: 10_000,
  watched: 1,
  rate: 1,
  subscribers: 100,
  each: 1,
  popularity: "even",
  regions: 1,
  shape: "direct",
  carriers: "messages",
  shards: 16,
  gatherMs: 25,
  streams: 0,
  polls: 0,
  reconnects: 1,
  restarts: 13,
  gets: 0,
  cached: 0,
  occupancy: 0,
  publishes: 0,
  messageBytes: 250,
  pingSeconds: 15,
  batchMs: 2,
  revocations: 0,
};
const names = Object.keys(ASSUMPTIONS) as Assumption[];

describe("a plan", () => {
  test("10,000 endpoints with an update a second and 100 subscribers each cost at most $700 a month by the lower bound", () => {
    const { dollars } = reportOn(plan);
    expect(dollars.lower).toBeLessThanOrEqual(700);
    expect(dollars.upper).toBeGreaterThan(dollars.lower);
  });

  test("a link message for each update is what the arithmetic by hand gives: 25.92e9 / 20 × $0.15 a million", () => {
    const items = estimate(plan, { ...KINDEST, arrival: "apart" }).items;
    const links = items.find(({ what }) => what === "messages, shard to object");
    // 13 restarts with two messages for each object beside the updates.
    expect(links?.units).toBe((10_000 * MONTH_SECONDS + 13 * 2 * 10_000) / 20);
    expect(links?.dollars).toBeCloseTo(194.4, 0);
  });

  test("its items add up to its bill, and every item has its share", () => {
    for (const assumptions of [KINDEST, HARSHEST, ...names.map(turned)]) {
      const { items, usage, dollars } = estimate(plan, assumptions);
      expect(items.reduce((sum, item) => sum + item.dollars, 0)).toBeCloseTo(dollars, 6);
      expect(monthlyBill(usage).total).toBe(dollars);
    }
  });

  test("no assumption makes it cheaper than the kindest ones or dearer than the harshest", () => {
    const lower = estimate(plan, KINDEST).dollars;
    const upper = estimate(plan, HARSHEST).dollars;
    for (const name of names) {
      expect(estimate(plan, turned(name)).dollars).toBeGreaterThanOrEqual(lower);
      expect(estimate(plan, turned(name)).dollars).toBeLessThanOrEqual(upper);
    }
  });

  test("a thousand revocations a day cost what the arithmetic by hand gives, and only if there are any", () => {
    const days = 30;
    const of = (more: Partial<Plan>) => operationsOf(eventsOf({ ...plan, ...more }, KINDEST));
    const [none, some] = [of({}), of({ revocations: 1_000 })];
    const added = (name: keyof typeof none) => Number(some[name]) - Number(none[name]);

    expect(added("worker_request")).toBe(1_000 * days);
    expect(added("rpc.shard")).toBe(1_000 * days * (16 * 2 + 1));
    expect(added("websocket_message_in.shard_uplink")).toBe(1_000 * days * (16 + 1));
    expect(added("rows_written")).toBe(1_000 * days * 16 * 2);
    // Each object is told; and asks once for each of its 100 subscribers that comes back in a day or with a restart.
    const subscribes = 10_000 * 100 * (days + 13);
    expect(added("websocket_message_in.shard_link")).toBe(subscribes);
    expect(added("websocket_message_in.endpoint_link")).toBe(1_000 * days * 10_000 + subscribes);
    expect(estimate({ ...plan, revocations: 1_000 }, KINDEST).dollars).toBeGreaterThan(
      estimate(plan, KINDEST).dollars,
    );
  });

  test("endpoints that nobody watches cost nothing", () => {
    const million = { ...plan, endpoints: 1_000_000, watched: 0.01 };
    expect(estimate(million, HARSHEST).dollars).toBeCloseTo(estimate(plan, HARSHEST).dollars, 6);
    const { items } = estimate({ ...plan, watched: 0 }, KINDEST);
    expect(items.reduce((sum, item) => sum + item.dollars, 0)).toBe(0);
  });

  test("updates that arrive together cost one message on each hop, never fewer than one for a batch's bytes", () => {
    const slow = eventsOf({ ...plan, rate: 0.001 }, KINDEST);
    expect(slow.linkMessages / slow.updates).toBeGreaterThan(0.999);
    const fast = eventsOf({ ...plan, rate: 1_000, batchMs: 10 }, KINDEST);
    expect(fast.updates / fast.linkMessages).toBeCloseTo(11, 6);
    const large = eventsOf({ ...plan, rate: 1_000, batchMs: 10, messageBytes: 1_000_000 }, KINDEST);
    expect(large.linkMessages).toBe(large.updates);
    expect(large.uplinkMessages).toBe(large.updates);
  });

  test("however many updates there are, a shard gets a message each two milliseconds at most", () => {
    const many = { ...plan, endpoints: 100_000, shards: 2 };
    for (const assumptions of [KINDEST, HARSHEST])
      expect(eventsOf(many, assumptions, 1).uplinkMessages).toBeLessThanOrEqual(2 * 500);
    expect(eventsOf({ ...many, rate: 0.001 }, HARSHEST, 1).uplinkMessages).toBeCloseTo(100, 6);
  });

  test("the one subscriber of an endpoint who comes back late has it attached again", () => {
    const alone = { ...plan, subscribers: 1, restarts: 0 };
    expect(eventsOf(alone, HARSHEST).attaches).toBe(10_000 * 30);
    expect(eventsOf(alone, KINDEST).attaches).toBe(0);
    expect(eventsOf({ ...alone, subscribers: 2 }, HARSHEST).attaches).toBe(0);
  });

  test("its operations have names that the edge counts", () => {
    expect(Object.keys(OPERATIONS)).toEqual(
      expect.arrayContaining(Object.keys(operationsOf(eventsOf(plan, KINDEST)))),
    );
  });
});

/** Dollars a month that the bounds differ by between two plans. */
function adds(more: Partial<Plan>, to: Partial<Plan> = {}) {
  const [before, after] = [dollarsOf({ ...plan, ...to }), dollarsOf({ ...plan, ...to, ...more })];
  return { lower: after.lower - before.lower, upper: after.upper - before.upper };
}

describe("shapes", () => {
  test("a plan is priced in every shape that can hold it, the cheapest by the upper bound first", () => {
    const shapes = shapesFor(plan);
    expect(shapes.map(({ shape, carriers }) => `${shape} ${carriers}`)).toContain("direct messages");
    const fitting = shapes.filter(({ passed }) => passed.length === 0);
    const uppers = fitting.map(({ dollars }) => dollars.upper);
    expect(uppers).toEqual([...uppers].sort((a, b) => a - b));
    expect(shapesFor({ ...plan, each: 50, subscribers: 200 }).map(({ shape }) => shape)).not.toContain(
      "buckets",
    );
  });

  test("relays cost a message of each link for each time of gathering, by hand: 40 a second", () => {
    const relays = { ...plan, shape: "relays", shards: 4, restarts: 0, reconnects: 0 } as const;
    const { items } = estimate(relays, HARSHEST);
    const links = items.find(({ what }) => what === "messages, shard to object")?.quantity ?? 0;
    const objects = shapesFor(relays).find(({ shape }) => shape === "relays")?.objects ?? 0;
    // And a shard's word every 5 s at most, on which a relay writes down what it needs when it wakes.
    expect(links / MONTH_SECONDS).toBeCloseTo(objects * (4 * 40 + 1 / 5), 3);
  });

  test("by sessions an object is awake all month, and its messages cost nothing", () => {
    const sessions = { ...plan, shape: "buckets", carriers: "sessions" } as const;
    const [lower, upper] = [KINDEST, HARSHEST].map((assumptions) => estimate(sessions, assumptions));
    const objects = shapesFor(sessions).find(({ shape }) => shape === "buckets")?.objects ?? 0;
    for (const one of [lower, upper]) {
      const of = (what: string) => one?.items.find((item) => item.what === what);
      expect(of("messages, shard to object")?.units).toBe(0);
      expect(of("objects of subscribers, active or kept awake, s")?.quantity).toBeGreaterThanOrEqual(
        objects * MONTH_SECONDS,
      );
    }
    expect((upper?.dollars ?? 0) - (lower?.dollars ?? 0)).toBeLessThan(100);
  });

  test("connections that hear something every second send no ping but the first", () => {
    const pings = (more: Partial<Plan>) => eventsOf({ ...plan, ...more }, KINDEST).subscriberPings;
    const subscribes = eventsOf(plan, KINDEST).subscribes;
    expect(pings({}) / subscribes).toBeLessThan(1.02);
    // In silence one every 15 s.
    expect(pings({ rate: 0 }) - subscribes).toBeCloseTo((1e6 * MONTH_SECONDS) / 15, -3);
    expect(pings({ pingSeconds: 0 })).toBe(0);
    // Of many endpoints on one connection one is heard sooner.
    const one = pings({ rate: 0.01, reconnects: 0, restarts: 0 });
    const many = pings({ rate: 0.01, reconnects: 0, restarts: 0, each: 100, shape: "relays" });
    expect(many).toBeLessThan(one / 1_000_000);
  });
});

describe("without a WebSocket", () => {
  test("event streams cost the Worker's CPU for each event, and nothing else more", () => {
    const events = 1e6 * 0.5 * MONTH_SECONDS;
    const { perUnit, included } = PRICES.workerCpuMs;
    const dollars = (ms: number) =>
      (events * ms + 43_000_000 * MEASURED.workerRequestMs - included) * perUnit;
    const { lower, upper } = adds({ streams: 0.5 });
    expect(upper / dollars(MEASURED.everything.streamMs)).toBeCloseTo(1, 2);
    // What comes together is passed on together.
    expect(lower / dollars(MEASURED.handlers.streamMs)).toBeCloseTo(1, 2);
  });

  test("who GETs the next state asks again for each: a request of Worker and object, and a call of the shard", () => {
    const quiet = { ...plan, rate: 0, reconnects: 0, restarts: 0, polls: 1 };
    const waits = (1e6 * MONTH_SECONDS) / 25;
    expect(eventsOf(quiet, KINDEST).polls).toBeCloseTo(waits, -2);
    const operations = operationsOf(eventsOf(quiet, KINDEST));
    for (const name of ["worker_request", "object_request.endpoint", "rpc.shard"] as const)
      expect(operations[name]).toBeCloseTo(waits, -2);
    // One update a second: nearly one GET a second.
    const busy = eventsOf({ ...plan, polls: 1 }, KINDEST);
    expect(busy.polls / (1e6 * MONTH_SECONDS)).toBeCloseTo(1, 3);
    expect(busy.deliveries).toBe(0);
  });

  test("asking how many there are costs a GET each, and at worst a message each way for each object and coming and going", () => {
    const asks = (of: Partial<Plan>) => operationsOf(eventsOf({ ...plan, ...of }, HARSHEST));
    const [none, some] = [asks({}), asks({ occupancy: 10 })];
    const more = (name: keyof typeof none) => Number(some[name]) - Number(none[name]);
    const gets = 10 * MONTH_SECONDS;
    expect(more("worker_request")).toBe(gets);
    expect(more("rpc.shard")).toBe(gets);
    const comings = 1e6 * (2 * 30 + 13);
    expect(more("websocket_message_in.shard_link")).toBeCloseTo(gets + 1.5 * comings, -1);
    expect(more("websocket_message_in.endpoint_link")).toBeCloseTo(gets + 0.5 * comings, -1);
    const kind = operationsOf(eventsOf({ ...plan, occupancy: 10 }, KINDEST));
    expect(kind["websocket_message_in.shard_link"]).toBe(
      operationsOf(eventsOf(plan, KINDEST))["websocket_message_in.shard_link"],
    );
  });

  test("GETs that the cache answers cost a request of the Worker and reach no shard", () => {
    const questions = (cached: number) => operationsOf(eventsOf({ ...plan, gets: 10_000, cached }, KINDEST));
    const [all, few] = [questions(0), questions(0.9999)];
    expect(few.worker_request).toBe(all.worker_request);
    const gets = 10_000 * MONTH_SECONDS;
    expect(Number(all["rpc.shard"]) - Number(few["rpc.shard"])).toBeCloseTo(gets * 0.9999, 0);
    const asked = (one: typeof all) => Number(one["websocket_message_in.shard_uplink"]);
    expect(asked(all) - asked(few)).toBeCloseTo(gets * 0.9999, -1);
    expect(adds({ gets: 10_000, cached: 0.9999 }).upper).toBeLessThan(adds({ gets: 10_000 }).upper);
  });
});

describe("limits", () => {
  const passed = (changes: Partial<Plan>) =>
    reportOn({ ...plan, ...changes })
      .limits.filter((limit) => limit.passed !== "no")
      .map(({ what, passed }) => `${passed}: ${what}`);

  test("are those of the platform, each passed only by a plan that is too large for it", () => {
    expect(passed({})).toEqual([]);
    expect(passed({ subscribers: 40_000, rate: 0.001 })).toEqual(["yes: connections of an object"]);
    expect(passed({ endpoints: 1_000_000, rate: 0.001 })).toEqual(["yes: links of a shard"]);
    expect(passed({ shards: 2 })).toEqual([]);
    expect(passed({ shards: 2, messageBytes: 1_000_000 })).toEqual(["yes: messages a second to a shard"]);
    expect(passed({ rate: 50, subscribers: 1_000, endpoints: 10 })).toEqual([
      "yes: cores of an object of subscribers",
    ]);
    expect(passed({ messageBytes: 1_000_000 })).toEqual([]);
  });

  test("a window never counts for more than its bound", () => {
    const memory = limitsOf({ ...plan, messageBytes: 16_000_000 }).find(({ what }) =>
      what.startsWith("bytes in memory of an object"),
    );
    expect(memory?.upper).toBeLessThan(5 * 1024 * 1024);
  });
});

describe("what is typed", () => {
  const texts = {
    ENDPOINTS: "10",
    WATCHED: "0.5",
    RATE: "2",
    SUBSCRIBERS: "3",
    EACH: "1",
    POPULARITY: "even",
    REGIONS: "9",
    SHAPE: "direct",
    CARRIERS: "messages",
    GATHER_MS: "25",
    STREAMS: "0.5",
    POLLS: "0",
    RECONNECTS: "1",
    RESTARTS: "0",
    GETS: "0",
    CACHED: "0",
    OCCUPANCY: "0",
    PUBLISHES: "0",
    MESSAGE_BYTES: "100",
    PING_SECONDS: "0",
    SHARDS: "2",
    BATCH_MS: "0",
    REVOCATIONS: "0",
  };

  test("is a plan", () => {
    expect(readPlan(texts)).toMatchObject({ ok: true, plan: { endpoints: 10, watched: 0.5, shards: 2 } });
  });

  test("is refused with every problem at once, each with its flag", () => {
    const wrong = {
      ENDPOINTS: "ten",
      WATCHED: "1.5",
      SHARDS: "2.5",
      RATE: " ",
      SHAPE: "round",
      POLLS: "0.6",
    };
    const read = readPlan({ ...texts, ...wrong });
    expect(read).toEqual({
      ok: false,
      problems: [
        "--endpoints must be a whole number from 0 to 1000000000000, not ten",
        "--watched must be a number from 0 to 1, not 1.5",
        "--rate must be a number from 0 to 1000000, not  ",
        "--shape must be one of direct, relays, both, buckets, shards, not round",
        "--shards must be a whole number from 1 to 64, not 2.5",
        "--streams and --polls must add up to 1 at most",
      ],
    });
  });

  test("is refused if its shape can't hold the subscribers", () => {
    const read = readPlan({ ...texts, SHAPE: "buckets", EACH: "2" });
    expect(read).toMatchObject({
      ok: false,
      problems: [expect.stringMatching(/^--shape buckets can't hold/)],
    });
  });
});

test("the table says both bounds, every item, every unproven assumption and what is left out", () => {
  const report = reportOn(plan);
  const text = textOf(report);
  for (const { what } of report.items) expect(text).toContain(what);
  for (const { means } of report.unproven) expect(text).toContain(means);
  for (const { shape } of report.shapes) expect(text).toContain(`  ${shape}: `);
  expect(text).toMatch(/\$\d[\d,.]+ to \$\d[\d,.]+/);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
