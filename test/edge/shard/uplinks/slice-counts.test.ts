/** Origins that divide the records by another count of slices than the one that is served. */
import { beforeEach, describe, expect, test } from "vitest";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { ENDPOINT as A, answer, SlicedShard, update } from "../../../support/sliced-shard.ts";

let shard: SlicedShard;
/** The active origins of two slices. */
let one: FakeSocket;
let two: FakeSocket;

beforeEach(() => {
  shard = new SlicedShard();
  ({ one, two } = shard);
});

describe("other counts of slices", () => {
  const connect = (...slices: string[]) => slices.map((slice) => shard.connect(`of ${slice}`, { slice }));

  test("[N9] what is served stays so while each of its slices has an origin; others stand by", () => {
    const others = connect("1/4", "2/4", "3/4", "4/4");

    for (const other of others) expect(other.take()).toMatchObject([{ hello: { role: "standby" } }]);
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual(["one", "two"]);
    expect(shard.core.status().standbys).toHaveLength(4);
  });

  test("[N9] when one has none, a count that is ready as a whole is served, from where each link is", async () => {
    await shard.live();
    const others = connect("1/4", "2/4", "3/4", "4/4");
    for (const other of others) other.take();

    shard.leave(two);

    for (const [i, other] of others.entries())
      expect(other.take()).toEqual([
        { role: "active", generation: 3 + i },
        { attach: A, id: 0, link: 1, from: "t.0:5" },
      ]);
    expect(one.closed?.code).toBe(4003);
    expect(shard.core.status().slices).toHaveLength(4);
  });

  test("[N9] a count that isn't ready as a whole isn't served instead of half of the one before", () => {
    const others = connect("1/4", "2/4", "3/4");
    shard.connect("late", { slice: "4/4", ready: false });
    shard.core.uplinkClosed(two);
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual(["one", null]);

    for (const other of others) other.take();
    shard.connect("last", { slice: "4/4" });
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual([
      ...["of 1/4", "of 2/4", "of 3/4", "last"],
    ]);
  });

  const served = () => shard.core.status().slices.map(({ origin }) => origin);

  test("[N9] where the last origin of a slice hangs, another count is served after its deadline; and after twice that, if it wasn't dead", () => {
    const whole = shard.connect("whole");
    shard.pass(2_999, one, whole);
    expect(served()).toEqual(["one", "two"]);
    shard.pass(1, one, whole);
    expect([served(), two.closed?.code]).toEqual([["whole"], 4003]);

    shard.tell(two, update("t.1:0"));
    const again = connect("1/2", "2/2");
    shard.pass(5_999, ...again);
    expect(served()).toEqual(["whole"]);
    shard.pass(1, ...again);
    expect(served()).toEqual(["of 1/2", "of 2/2"]);
  });

  test("[N9] one that only pings, or is ready again in time, has not missed its deadline", () => {
    const whole = shard.connect("whole");
    shard.ready(two, false);
    for (let seconds = 0; seconds < 10; seconds++) {
      shard.pass(1_000, whole);
      for (const uplink of [one, two]) shard.pings.set(uplink, shard.clock.now);
      if (seconds === 1) shard.ready(two);
    }

    expect(served()).toEqual(["one", "two"]);
  });

  test("[N9] one that hangs gives way to a standby of its own slice rather than to another count", () => {
    const [whole, standby] = [shard.connect("whole"), shard.connect("three", { slice: "2/2" })];
    shard.pass(3_000, one, whole, standby);

    expect(served()).toEqual(["one", "three"]);
  });

  test("[N9] a count of which one origin hangs itself isn't served instead", () => {
    const [first] = connect("1/3", "2/3", "3/3");
    shard.pass(10_000, one, first ?? one);

    expect(served()).toEqual(["one", "two"]);
  });

  test("[N9] an ask that is open is put to the new slices; one slice for all is a count like others", async () => {
    const all = shard.connect("all");
    const down = await shard.object();
    shard.tell(one, ...answer({ notHome: true }));
    all.take();

    shard.core.uplinkClosed(two);

    expect(shard.core.status()).toMatchObject({ origin: "all", slices: [{ slice: "1/1" }] });
    expect(all.take()).toEqual([
      { role: "active", generation: 3 },
      { attach: A, id: 1, link: 1 },
    ]);
    down.take();
    const items = answer({ from: "t.0:5" });
    shard.tell(all, ...items);
    expect(down.messages, "as it came").toEqual(items);
  });

  test("[N9] a ninth count is refused as too many", () => {
    const others = connect("1/3", "1/4", "1/5", "1/6", "1/7", "1/8", "1/9");
    const [ninth] = connect("1/10");

    expect(others.map(({ closed }) => closed)).toEqual(others.map(() => undefined));
    expect(ninth?.closed).toEqual({ code: 4005, reason: "overloaded" });
  });

  test("[N9] [U12] an origin that names odd counts again and again keeps nobody from another one", () => {
    const odd = ["1/3", "5/64", "7/9", "1/1", "2/2"].map((slice) => shard.connect("odd", { slice }));
    const others = connect("1/4", "2/4", "3/4", "4/4");

    expect(odd.slice(0, -1).map(({ closed }) => closed?.code)).toEqual([4003, 4003, 4003, 4003]);
    expect(others.map(({ closed }) => closed)).toEqual(others.map(() => undefined));
    expect(shard.core.status().slices.map(({ origin }) => origin)).toEqual(["one", "two"]);
    shard.leave(two);
    shard.core.uplinkClosed(odd[4] as FakeSocket);
    expect(shard.core.status().slices).toHaveLength(4);
  });
});
