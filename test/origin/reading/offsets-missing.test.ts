/** Partitions of a topic of which it can't be said where they begin and end, as while nobody leads them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConsumerWorld } from "../../support/consumer-world.ts";
import { SmallOrigin, STREAM } from "../../support/small-origin.ts";
import { SimulatedShard } from "../../support/watching.ts";

let world: ConsumerWorld;

beforeEach(() => {
  world = new ConsumerWorld();
});
afterEach(() => world.stop());

describe("a partition whose offsets can't be had", () => {
  const down = () => world.source.unavailable.set("t/1", "it has no leader just now");

  test("is in error and unready, told of once, and holds up no other; it is read once they can be had", async () => {
    for (const partition of [0, 1, 2]) world.write(partition, 5);
    down();
    world.start();

    await world.read([1]);
    await world.origin.recorded.until("still_failing", 3);
    world.write(0, 1);
    await world.read([1]);

    expect(world.states()[1]).toEqual({ next: 0, ready: false, error: "it has no leader just now" });
    expect(world.origin.partitions.ready).toBe(false);
    expect(world.origin.recorded.of("partition_failed")).toEqual([
      { topic: "t", partition: 1, code: "unavailable", message: "it has no leader just now", retryMs: 4 },
    ]);
    expect(world.origin.recorded.of("still_failing").map(({ retryMs }) => retryMs)).toEqual(
      expect.arrayContaining([8, 16]),
    );
    world.source.unavailable.clear();
    await world.read();
    expect(world.states()[1]).toEqual({ next: 5, ready: true, error: undefined });
    expect(world.source.reads).toEqual(["t/0@0", "t/2@0", "t/1@0"]);
    await world.origin.recorded.until("trouble_over");
  });

  test("goes on where the index ends, with nothing left out, and what waited for it is answered", async () => {
    world.write(1, 5);
    world.start();
    await world.read();
    await world.stop();
    world.write(1, 3);
    down();
    world.origin = new SmallOrigin([STREAM], world.origin.history);
    world.start();
    await world.read([1]);
    const shard = new SimulatedShard(world.origin.watchList);
    const object = shard.watch(1, "/t/a");
    shard.ask(1, object);
    shard.step();
    expect(object.received).toEqual([]);

    world.source.unavailable.clear();
    await world.read();
    shard.step();

    expect(world.source.reads.at(-1)).toBe("t/1@5");
    expect(object.received.map(({ offset }) => offset)).toEqual([5, 6, 7]);
  });

  test("begins where the stream says, counted from when they can be had, though others have begun before", async () => {
    for (const partition of [0, 1, 2]) world.write(partition, 5);
    down();
    world.start([{ ...STREAM, start: "latest" }]);
    await world.read([1]);

    world.source.unavailable.clear();
    await world.read();

    expect(world.source.reads).toEqual(["t/0@5", "t/2@5", "t/1@5"]);
  });

  test("[R4] begins after a hole where the log dropped what comes next meanwhile, and who is live is told", async () => {
    world.write(1, 5);
    world.start();
    await world.read();
    await world.stop();
    down();
    world.write(1, 5);
    world.log.drop(1, 8);
    world.origin = new SmallOrigin([STREAM], world.origin.history);
    world.start();
    await world.read([1]);
    const shard = new SimulatedShard(world.origin.watchList);
    const object = shard.watch(1, "/t/a");
    object.position = new Map();
    shard.ask(1, object);
    shard.step();
    expect(object.received.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);

    world.source.unavailable.clear();
    await world.read();
    shard.step();

    expect(world.origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 1, why: "hole", next: 8 },
    ]);
    expect(object.causes).toEqual(["horizon"]);
  });

  test("is no trouble any more once its topic is gone", async () => {
    down();
    world.start();
    await world.origin.recorded.until("partition_failed");

    world.source.logs.clear();

    await world.origin.recorded.until("trouble_over");
    await world.origin.recorded.until("topic_absent");
  });
});
