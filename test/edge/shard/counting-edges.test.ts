import { beforeEach, describe, expect, test } from "vitest";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import {
  encodeAlone,
  encodeCount,
  encodeCounted,
  encodeElsewhere,
  encodeEnough,
} from "../../../shared/protocol/counting.ts";
import { encodeHello } from "../../../shared/protocol/uplink.ts";
import { FakeSocket } from "../../support/fake-socket.ts";
import { settled } from "../../support/simulated-edge.ts";
import { SmallShard } from "../../support/small-shard.ts";

const A = "/quotes/A";
const count = { count: A };

let shard: SmallShard;
beforeEach(() => {
  shard = new SmallShard();
});

const says = (origin: FakeSocket, frame: string) =>
  shard.core.uplinkMessage(origin, encodeAddressed({ kind: "shard" }, frame));
const subscribers = (number: number) => ({ kind: "subscribers", subscribers: number });

describe("[D6] a shard, its origins, and how many subscribers other edges have", () => {
  test("it asks the one that leads, and whoever takes over", async () => {
    const [first, second] = [shard.connect("first"), shard.connect("second")];
    for (const origin of [first, second]) origin.take();
    const asked = shard.core.occupancy(A);
    expect([first.take(), second.take()]).toEqual([[count], []]);
    says(first, encodeElsewhere(A, 4));
    expect(await asked).toEqual(subscribers(4));

    first.closed = { code: 1006, reason: "" };
    shard.core.uplinkClosed(first);
    expect(second.take()).toEqual([{ role: "active", generation: 2 }, count]);
    // What it stood for counts until it knows better.
    expect(await shard.core.occupancy(A)).toEqual(subscribers(4));
    says(second, encodeElsewhere(A, 2));
    expect(await shard.core.occupancy(A)).toEqual(subscribers(2));
  });

  test("it asks none that dials no other edge, as its hello says, or it later", async () => {
    const origin = new FakeSocket();
    shard.core.uplinkOpened(origin, "test");
    shard.core.uplinkMessage(origin, encodeHello({ version: 1, origin: "test", alone: true }));
    origin.take();
    expect([await shard.core.occupancy(A), origin.take()]).toEqual([subscribers(0), []]);

    says(origin, encodeAlone(false));
    const asked = shard.core.occupancy(A);
    expect(origin.take()).toEqual([count]);
    says(origin, encodeAlone(true));
    expect(await asked).toEqual(subscribers(0));
  });

  test("it tells those that stand by, too, how many it has itself", async () => {
    const [first, second] = [shard.connect("first"), shard.connect("second")];
    const down = await shard.watch(first, A, 1);
    second.take();
    says(second, encodeCount(A));
    expect(down.take()).toEqual([count]);
    shard.core.linkMessage(down, encodeCounted(A, 3));
    await settled();
    expect([first.take(), second.take()]).toEqual([[], [{ counted: { endpoint: A, subscribers: 3 } }]]);
    says(second, encodeEnough(A));
    expect(down.take()).toEqual([{ enough: A }]);
  });

  test("[U16] an origin whose key is bound to other topics is neither asked, nor told, nor believed", async () => {
    const origin = shard.connect("test", { scope: "topics=flights" });
    origin.take();
    expect(await shard.core.occupancy(A)).toEqual(subscribers(0));
    says(origin, encodeCount(A));
    says(origin, encodeElsewhere(A, 7));
    await settled();
    expect([origin.take(), shard.disbelieved, origin.closed]).toEqual([[], 2, undefined]);

    const asked = shard.core.occupancy("/flights/A");
    expect(origin.take()).toEqual([{ count: "/flights/A" }]);
    says(origin, encodeElsewhere("/flights/A", 1));
    expect(await asked).toEqual(subscribers(1));
  });
});
