import { describe, expect, test } from "vitest";
import { FakeSocket } from "../../../support/fake-socket.ts";
import { SmallShard } from "../../../support/small-shard.ts";

const A = "/quotes/A";

describe("[U2] a hello that says another name than the uplink's key is refused, and what it names goes on:", () => {
  test.each([
    ["the active one", "a", undefined],
    ["one that stands by", "b", undefined],
    ["one for a slice", "a", "1/2"],
    ["one that isn't there", "c", undefined],
    ["one without a name", "", undefined],
  ])("%s", async (_, origin, slice) => {
    const shard = new SmallShard();
    const a = shard.connect("a");
    const b = shard.connect("b");
    await shard.watch(a, A, 1);
    const before = shard.core.status();

    const liar = shard.connect(origin, { key: "m", ...(slice && { slice }) });

    expect(liar.closed).toEqual({ code: 4503, reason: "unauthorized" });
    expect(liar.take()).toEqual([]);
    expect([a.closed, b.closed]).toEqual([undefined, undefined]);
    expect(shard.core.status()).toEqual(before);
    expect(shard.problems.at(0)).toBe("an uplink of m is closed: unauthorized");
  });

  test("an active one of a slice", () => {
    const shard = new SmallShard();
    const one = shard.connect("one", { slice: "1/2" });
    const two = shard.connect("two", { slice: "2/2" });
    const before = shard.core.status();

    // In its own slice, in the other one, and in another count.
    for (const slice of ["1/2", "2/2", "1/1"]) shard.connect("one", { key: "two", slice });

    expect([one.closed, two.closed]).toEqual([undefined, undefined]);
    expect(shard.core.status()).toEqual(before);
  });
});

test("[U2] after that nothing counts that it says, its own name neither, over a hibernation either", () => {
  const shard = new SmallShard();
  const a = shard.connect("a");
  const liar = shard.connect("a", { key: "m" });

  for (const forget of [false, true]) {
    if (forget) shard.forget([a, liar]);
    shard.core.uplinkMessage(liar, '0\t{"hello":{"version":1,"origin":"m"}}');
    expect(shard.core.status()).toMatchObject({ origin: "a", standbys: [] });
  }
  expect(liar.take()).toEqual([]);
});

test("[U2] an uplink of which nobody has verified whose it is can say no name at all", () => {
  const shard = new SmallShard();
  const socket = new FakeSocket();
  shard.core.uplinkOpened(socket, "m");
  socket.serializeAttachment(null);

  for (const origin of ["", "m"])
    shard.core.uplinkMessage(socket, `0\t{"hello":{"version":1,"origin":"${origin}"}}`);

  expect(shard.core.status().connected).toBe(false);
});
