/** What a shard that begins to run makes of the number of shards, and of what it noted before. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Beginning, type BeginningPorts, begin, beginningOf } from "../../../edge/shard/beginning.ts";
import type { Revocation } from "../../../shared/protocol/revocation.ts";
import { settled } from "../../support/simulated-edge.ts";

const one = (isStrict: boolean, wasLeftOut = false): Beginning => ({ kind: "one", isStrict, wasLeftOut });

test.each<[string, number, number, number | undefined, Beginning]>([
  ["as many as before", 2, 4, 4, one(false)],
  ["it is new", 2, 4, undefined, one(true)],
  ["more than before, when it was there", 2, 4, 3, one(true)],
  ["fewer than before", 2, 3, 4, one(true)],
  ["as many as it takes again, since it was left out", 2, 4, 2, one(true, true)],
  ["just as many as it takes again", 2, 3, 1, one(true, true)],
  ["too few for it", 2, 2, 4, { kind: "leftOut" }],
  ["more, and it is the first one", 0, 4, 2, { kind: "first", leftOut: [] }],
  ["any, and it is the first one, and new", 0, 4, undefined, { kind: "first", leftOut: [] }],
  ["fewer, and it is the first one", 0, 2, 5, { kind: "first", leftOut: [2, 3, 4] }],
])("[A9] there are %s", (_, shard, shards, seen, expected) => {
  expect(beginningOf(shard, shards, seen)).toEqual(expected);
});

test("[A9] whoever was left out while the number went down and up again waits for the first one, if it was told", () => {
  for (let least = 1; least < 6; least++) {
    const { leftOut } = beginningOf(0, least, 6) as Extract<Beginning, { kind: "first" }>;
    expect(leftOut).toEqual([1, 2, 3, 4, 5].filter((shard) => shard >= least));
    for (const shard of leftOut) {
      expect(beginningOf(shard, least, 6)).toEqual({ kind: "leftOut" });
      expect(beginningOf(shard, 6, least)).toEqual(one(true, true));
    }
  }
});

const REVOCATION: Revocation = {
  id: "r",
  meant: { of: "all", issuer: "i", before: 1 },
  graceMs: 0,
  madeAt: 0,
  until: 1,
};

describe("how it begins", () => {
  const did: string[] = [];
  const timers: (() => void)[] = [];
  /** What the first shard has; undefined while it doesn't answer. */
  let ofTheFirst: readonly Revocation[] | undefined;
  /** How many shards each of the others knows of. */
  let known: ReadonlyMap<number, number>;
  /** How that ended before which nothing is answered. */
  let first: Promise<string> | undefined;

  const ports: BeginningPorts = {
    random: () => 0,
    after: (_, run) => void timers.push(run),
    first: (run) => {
      first = run().then(
        () => "served",
        (error: Error) => error.message,
      );
    },
    shardsKnownTo: async (shard) => {
      const shards = known.get(shard);
      if (shards === undefined) throw new Error("it doesn't answer");
      return shards;
    },
    revocations: async () => {
      if (ofTheFirst === undefined) throw new Error("it doesn't answer");
      return ofTheFirst;
    },
    learn: (revocations, wasLeftOut) =>
      did.push(`learned ${revocations.length}${wasLeftOut ? ", and drops others" : ""}`),
    noteShards: (shards) => did.push(`noted ${shards}`),
    failed: (what) => did.push(`failed: ${what}`),
    log: () => undefined,
  };

  beforeEach(() => {
    for (const list of [did, timers]) list.length = 0;
    ofTheFirst = [REVOCATION];
    known = new Map();
    first = undefined;
  });

  async function passTime(): Promise<void> {
    for (const run of timers.splice(0)) run();
    await settled();
  }

  test("[A9] one that is new serves once it has learned, and then notes the number", async () => {
    begin(ports, 1, 2, undefined);

    expect(await first).toBe("served");
    expect(did).toEqual(["learned 1", "noted 2"]);
  });

  test("[A9] one that is new serves nobody if the first one doesn't answer, and notes nothing", async () => {
    ofTheFirst = undefined;
    begin(ports, 1, 2, undefined);

    expect(await first).toContain("nobody is let in");
    expect(did).toEqual(["failed: the revocations of the first one"]);
    expect(timers).toEqual([]);
  });

  test("[A9] one that noted the number goes on with its own rows, and asks again until it is answered", async () => {
    ofTheFirst = undefined;
    begin(ports, 1, 2, 2);
    expect(await first).toBe("served");
    await passTime();
    ofTheFirst = [REVOCATION];
    await passTime();

    const failed = "failed: the revocations of the first one";
    expect(did).toEqual([failed, failed, "learned 1"]);
    expect(timers).toEqual([]);
  });

  test("[A9] it doesn't ask for ever", async () => {
    ofTheFirst = undefined;
    begin(ports, 1, 2, 2);
    await first;
    for (let times = 0; times < 200; times++) await passTime();

    expect(did).toHaveLength(101);
  });

  test("[A9] one that was left out drops what the first one hasn't", async () => {
    begin(ports, 1, 2, 1);

    expect(await first).toBe("served");
    expect(did).toEqual(["learned 1, and drops others", "noted 2"]);
  });

  test("[A9] the first one notes that there are fewer only once all that are left out know it", async () => {
    known = new Map([[1, 1]]);
    begin(ports, 0, 1, 3);
    await settled();
    known = new Map([
      [1, 1],
      [2, 3],
    ]);
    await passTime();
    expect(did).toEqual(["failed: those that are left out", "failed: those that are left out"]);

    known = new Map([
      [1, 1],
      [2, 1],
    ]);
    await passTime();
    expect(did.slice(2)).toEqual(["noted 1"]);
    expect(first).toBeUndefined();
  });

  test.each([
    ["the first one, of more than before", 0, 3, 2],
    ["one that is left out", 2, 2, 3],
  ])("[A9] %s notes the number, and asks nobody", async (_, shard, shards, seen) => {
    begin(ports, shard, shards, seen);
    await settled();

    expect(did).toEqual([`noted ${shards}`]);
    expect(first).toBeUndefined();
  });
});
