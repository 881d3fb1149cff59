import { describe, expect, test } from "vitest";
import { healthOf, readinessOf } from "../../../origin/operate/health.ts";
import { madeUpStatus } from "../../support/status.ts";

describe("ready", () => {
  test("is an origin whose partitions are read and whose shards have uplinks", () => {
    const { ok, body } = readinessOf(madeUpStatus({ uplinks: [{}, {}], absent: ["u"] }));

    expect(ok).toBe(true);
    expect(body).toMatchObject({
      ready: true,
      reasons: [],
      partitions: [{ topic: "t", partition: 0, epoch: "e.0", offset: 4, end: 4, lag: 0, state: "live" }],
      edges: [
        {
          edge: "https://edge.example",
          open: true,
          shards: [{ shard: 0, state: "active" }, { state: "active" }],
        },
      ],
    });
  });

  test("is one still whose partition lags or fails after it had been read", () => {
    const { ok, body } = readinessOf(
      madeUpStatus({ partitions: [{ next: 1, error: "unavailable: no leader" }] }),
    );

    expect(ok).toBe(true);
    expect(body).toMatchObject({
      partitions: [{ lag: 3, state: "failing", error: "unavailable: no leader" }],
    });
  });

  test.each([
    [
      "a partition isn't read yet",
      { partitions: [{ next: 1, end: 9, ready: false }] },
      "t/0 is read up to 1 of 9",
    ],
    [
      "a partition can't be read",
      { partitions: [{ next: 1, end: 9, ready: false, error: "unavailable: no leader" }] },
      "t/0 is read up to 1 of 9: unavailable: no leader",
    ],
    ["a topic isn't described yet", { unknown: ["u"] }, "u is not described yet"],
    [
      "a shard has no uplink",
      { uplinks: [{}, { state: "dialling" }] },
      "there is no uplink to shard 1 of https://edge.example",
    ],
    [
      "an edge refuses",
      { uplinks: [{ state: "refused", reason: "the edge answers with status 401" }] },
      "there is no uplink to https://edge.example: the edge answers with status 401",
    ],
  ] as const)("it is not where %s, and the answer says so", (_, madeUp, reason) => {
    const { ok, body } = readinessOf(madeUpStatus(madeUp));

    expect(ok).toBe(false);
    expect(body).toMatchObject({ ready: false, reasons: [reason] });
  });

  test("of several edges the answer says which is away, in one reason for all its shards", () => {
    const gone = { state: "dialling", reason: "the edge can't be reached" } as const;

    const { ok, body } = readinessOf(
      madeUpStatus({ otherEdges: { "https://b.example": [gone, gone], "https://c.example": [{}, {}] } }),
    );

    expect(ok).toBe(false);
    expect(body.reasons).toEqual(["there is no uplink to https://b.example: the edge can't be reached"]);
    expect(body.edges).toMatchObject([
      { edge: "https://edge.example", open: true },
      { edge: "https://b.example", open: false, shards: [{ state: "dialling" }, { state: "dialling" }] },
      { edge: "https://c.example", open: true },
    ]);
  });

  test("it names what no subscriber sees all the same: what is held back, isn't read, isn't found or isn't taken", () => {
    const { ok, body } = readinessOf(
      madeUpStatus({
        partitions: [
          {},
          { heldBack: 3 },
          { next: 2, error: "unavailable: no leader" },
          { next: 1, error: "corrupt: no such codec", stopped: true },
        ],
        undescribable: "there is no broker",
        listing: { isKnown: true, error: "there is no broker", leftOut: 2 },
      }),
    );

    expect(ok).toBe(true);
    expect(body).toMatchObject({
      reasons: [],
      unseen: [
        "t/2 isn't read on from 2: unavailable: no leader",
        "t/3 isn't read on from 1: corrupt: no such codec",
        "t/1: a transaction that is open holds back 3 records from 4 on, for 12 s",
        "new partitions of t aren't found: there is no broker",
        "new topics that match patterns aren't found: there is no broker",
        "2 topics match patterns, but are too many to be read",
      ],
      topics: [{ topic: "t", error: "there is no broker" }],
    });
    const { partitions } = body as { partitions: { partition: number; heldBack?: object }[] };
    expect(partitions.map(({ partition }) => partition)).toEqual([3, 2, 1, 0]);
    expect(partitions.map(({ heldBack }) => heldBack)).toEqual([
      ...[undefined, undefined],
      { records: 3, seconds: 12 },
      undefined,
    ]);
  });

  test("it is not one that doesn't know yet which topics match patterns, and says why", () => {
    const { ok, body } = readinessOf(
      madeUpStatus({ listing: { isKnown: false, error: "there is no broker", leftOut: 0 } }),
    );

    expect(ok).toBe(false);
    expect(body.reasons).toEqual(["it isn't known yet which topics match patterns: there is no broker"]);
  });

  test("of thousands of partitions those that need attention are listed first, and the answer stays small", () => {
    const partitions = Array.from({ length: 5_000 }, (_, i) => ({
      next: 0,
      end: i + 1,
      ...(i === 4_000 && { error: "corrupt: no such codec", stopped: true }),
      ...(i === 4_001 && { error: "unavailable: no leader" }),
      ...(i < 100 && { ready: false }),
    }));

    const { body } = readinessOf(madeUpStatus({ partitions }));

    const states = (body.partitions as { state: string }[]).map(({ state }) => state);
    expect(states.slice(0, 3)).toEqual(["stopped", "failing", "catching-up"]);
    expect(states).toHaveLength(500);
    expect(body).toMatchObject({ partitionsNotListed: 4_500 });
    expect(body.reasons).toHaveLength(11);
    expect(JSON.stringify(body).length).toBeLessThan(100_000);
  });
});

describe("healthy", () => {
  test("is an origin that works, however Kafka and the edge are", () => {
    const status = madeUpStatus({
      partitions: [{ ready: false, error: "unavailable: no broker" }],
      uplinks: [{ state: "dialling" }],
    });

    expect(healthOf(status)).toMatchObject({ ok: true, body: { healthy: true, reasons: [] } });
  });

  test("it is not one that can't write its index", () => {
    expect(healthOf(madeUpStatus({ indexError: "the disk is full" }))).toMatchObject({
      ok: false,
      body: { healthy: false, reasons: ["the index can't be written: the disk is full"] },
    });
  });

  test("none that doesn't run is healthy, or ready", () => {
    expect([healthOf(undefined).ok, readinessOf(undefined).ok]).toEqual([false, false]);
  });
});
