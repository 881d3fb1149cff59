/** What the holder of a key can say, and what of it is believed. */
import { describe, expect, test } from "vitest";
import { encodeAddressed } from "../../../../shared/protocol/addressed.ts";
import { encodeAttached } from "../../../../shared/protocol/attach.ts";
import { LIMITS } from "../../../../shared/protocol/limits.ts";
import { NOTHING } from "../../../../shared/protocol/position.ts";
import { encodeLatest } from "../../../../shared/protocol/uplink.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { SmallShard, updateFrame } from "../../../support/small-shard.ts";

const A = "/quotes/A";
const UNAUTHORIZED = { code: 4503, reason: "unauthorized" };

const updates = (link: FakeSocket) => link.frames.filter((frame) => typeof frame === "string");

describe("[U16] a key's slices:", () => {
  test("a hello with another slice than the key's is refused, before anybody else is touched", () => {
    const shard = new SmallShard();
    const [one, two] = [shard.connect("one", { slice: "1/2" }), shard.connect("two", { slice: "2/2" })];
    const before = shard.core.status();

    for (const slice of ["2/2", "1/1", undefined, "1/3"]) {
      const liar = shard.connect("bound", { scope: "slices=1/2", ...(slice && { slice }) });
      expect([slice, liar.closed]).toEqual([slice, UNAUTHORIZED]);
    }

    expect([one.closed, two.closed]).toEqual([undefined, undefined]);
    expect(shard.core.status()).toEqual(before);
    expect(shard.connect("bound", { scope: "slices=1/2|1/3", slice: "1/2" }).closed).toBeUndefined();
  });

  test("bounds that can't be read allow nothing", () => {
    const shard = new SmallShard();

    for (const scope of ["", "slices=", "everything", "topics=quotes slices"])
      expect(shard.connect("bound", { scope }).closed).toEqual(UNAUTHORIZED);
  });
});

describe("[U16] a key's topics:", () => {
  test("updates and answers about others reach nobody; it is counted, and logged once; its own go on", async () => {
    const shard = new SmallShard();
    const bound = shard.connect("bound", { scope: "topics=quotes|orders.*" });
    const own = await shard.watch(bound, A, 1);
    const other = await shard.watch(bound, "/flights/A", 2);
    expect(shard.disbelieved).toBe(1);

    for (let offset = 6; offset < 106; offset++) shard.say(bound, 2, updateFrame("/flights/A", offset));
    shard.say(bound, 1, updateFrame(A, 6, 5));

    expect(updates(other)).toEqual([]);
    expect(updates(own)).toEqual([updateFrame(A, 6, 5)]);
    expect(shard.disbelieved).toBe(101);
    expect(shard.problems).toEqual(["what bound says isn't passed on: its key may not speak for this topic"]);
  });

  test("a GET of another topic isn't answered with what it says, and doesn't wait for it", async () => {
    const shard = new SmallShard();
    const bound = shard.connect("bound", { scope: "topics=quotes" });
    const answer = shard.core.latest("/flights/A");
    const latest = encodeLatest("/flights/A", new Map([["e", 5]]), 1);

    shard.core.uplinkMessage(bound, encodeAddressed({ kind: "question", id: 1 }, latest));

    expect(await answer).toMatchObject({ kind: "error", code: "unavailable" });
  });

  test("over a hibernation the bounds stay", async () => {
    const shard = new SmallShard();
    const bound = shard.connect("bound", { scope: "topics=quotes slices=1/1" });

    shard.forget([bound]);
    shard.say(bound, 1, updateFrame("/flights/A", 6));
    shard.ready(bound, false);
    shard.forget([bound]);
    shard.say(bound, 1, updateFrame("/flights/A", 7));

    expect(shard.core.status().origin).toBe("bound");
    expect(shard.disbelieved).toBe(2);
  });
});

describe("[U17] an offset that no log has", () => {
  test("reaches nobody, so that what is real goes on; it is counted, and logged once", async () => {
    const shard = new SmallShard();
    const active = shard.connect("a");
    const link = await shard.watch(active, A, 1);

    for (const beyond of [2 ** 53 - 2, 2 ** 53 - 1, LIMITS.plausibleOffset + 1])
      shard.say(active, 1, updateFrame(A, beyond, 5));
    shard.say(active, 1, updateFrame(A, 6, 5));
    shard.say(active, 1, updateFrame(A, LIMITS.plausibleOffset, 6));

    expect(updates(link)).toEqual([updateFrame(A, 6, 5), updateFrame(A, LIMITS.plausibleOffset, 6)]);
    expect(shard.disbelieved).toBe(3);
    expect(shard.problems).toEqual([
      "what a says isn't passed on: an offset lies beyond the end that any log could have",
    ]);
    expect(active.closed).toBeUndefined();
  });

  test("doesn't answer a GET either", async () => {
    const shard = new SmallShard();
    const active = shard.connect("a");
    const answer = shard.core.latest(A);
    const to = { kind: "question", id: 1 } as const;
    const latest = encodeLatest(A, new Map([["e", 5]]), 1);

    shard.core.uplinkMessage(active, encodeAddressed(to, latest));
    shard.core.uplinkMessage(active, encodeAddressed(to, updateFrame(A, 2 ** 53 - 2)));

    expect(await answer).toMatchObject({ kind: "error", code: "unavailable" });
  });
});

test("[U16] without bounds everything is believed that an origin may say", async () => {
  const shard = new SmallShard();
  const active = shard.connect("a");
  const link = await shard.watch(active, "/flights/A", 1);
  const position = new Map([["e", 7]]);
  const attached = {
    endpoint: "/flights/A",
    id: 1,
    verdict: { position, head: position },
    to: position,
    horizon: NOTHING,
    count: 0,
  };

  shard.say(active, 1, encodeAttached(attached));
  shard.say(active, 1, updateFrame("/flights/A", 8, 7));

  expect(updates(link)).toHaveLength(1);
  expect(shard.disbelieved).toBe(0);
});
