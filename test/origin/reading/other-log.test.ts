/** Logs that are not what they were when they were read: made anew, dropped, compacted, deleted or truncated. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isStopped } from "../../../origin/reading/partitions.ts";
import { partitionOf } from "../../../shared/core/partitioner.ts";
import { endpointPath } from "../../../shared/protocol/address.ts";
import { ConsumerWorld, KEY } from "../../support/consumer-world.ts";
import { TIMING } from "../../support/consuming.ts";
import { eventually } from "../../support/deadline.ts";
import { SmallOrigin, STREAM } from "../../support/small-origin.ts";
import { SimulatedShard } from "../../support/watching.ts";

/** More than a test takes for what follows it, on a machine that has much else to do. */
const LONG_READ_MS = 4_000;

let world: ConsumerWorld;

beforeEach(() => {
  world = new ConsumerWorld();
});
afterEach(() => world.stop());

/** Somebody who is live on the key that the world writes. */
function watched() {
  const shard = new SimulatedShard(world.origin.watchList);
  const object = shard.watch(1, endpointPath("t", KEY));
  shard.ask(1, object);
  shard.step();
  return { shard, object };
}

describe("where the log is another", () => {
  test("[P4] [R4] a topic that was created again is read anew, and who is live is told so", async () => {
    world.write(0, 5);
    world.start();
    await world.read();
    const { shard, object } = watched();

    world.log.recreate(3);
    world.write(1, 2);
    await world.read();
    shard.step();

    expect(world.origin.recorded.of("topic_replaced")).toHaveLength(1);
    expect(object.causes).toEqual(["epoch"]);
    expect(object.position).toEqual(new Map([["i1.1", 1]]));
  });

  test("[R4] where the log dropped what comes next, reading goes on with the oldest, loudly, and who is live is told", async () => {
    world.write(0, 5);
    world.start();
    await world.read();
    const { shard, object } = watched();

    world.source.stuck.add("t/0");
    world.write(0, 5);
    world.log.drop(0, 8);
    world.source.stuck.clear();
    world.source.changed();
    await world.read();
    shard.step();

    expect(world.origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "hole", next: 8 },
    ]);
    expect(object.causes).toEqual(["horizon"]);
    expect(object.received.map(({ offset }) => offset)).toEqual([8, 9]);
  });

  test("[R8] where the log has removed what comes next, all is read again, and told once that is done", async () => {
    const gone = Buffer.from("gone");
    world.log.write(0, gone, Buffer.from("1"));
    world.write(0, 1);
    world.start();
    await world.read();
    const shard = new SimulatedShard(world.origin.watchList);
    const [object, other] = [shard.watch(1, "/t/a"), shard.watch(2, "/t/gone")];
    shard.ask(1, object);
    shard.ask(2, other);
    shard.step();

    world.source.stuck.add("t/0");
    world.log.write(0, gone, null);
    world.write(0, 2);
    world.log.compact(0, 5, true);
    world.source.changed();
    const reads = world.source.reads.length;
    world.source.stuck.clear();
    world.source.changed();
    await world.read();
    shard.step();

    expect(world.origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "removed", next: 0 },
    ]);
    expect(world.source.reads.slice(reads)).toEqual(["t/0@0"]);
    expect([object.causes, object.received.map(({ offset }) => offset)]).toEqual([["horizon"], [4]]);
    expect([other.causes, other.received]).toEqual([["horizon"], []]);
    expect(world.origin.history.latest("t", gone).record).toBeUndefined();
  });

  test("[R8] where more is removed right after, it stays proved as it was for as long as reading it again took", async () => {
    const compactUnread = (to: number) => {
      world.source.stuck.add("t/0");
      world.write(0, 2);
      world.log.compact(0, to, true);
      world.source.stuck.clear();
      world.source.changed();
    };
    const holes = () => world.origin.recorded.of("partition_hole").length;
    const failures = () => world.origin.recorded.of("partition_failed");
    const { begin } = world.origin.history;
    world.origin.history.begin = (topic, info, start, removed) => {
      if (removed === true && holes() === 0) world.source.stuck.add("t/0");
      return begin.call(world.origin.history, topic, info, start, removed);
    };
    world.write(0, 1);
    world.start();
    await world.read();
    compactUnread(3);
    await eventually(() => holes() === 1, "it is being read again");
    await new Promise((resolve) => setTimeout(resolve, LONG_READ_MS));
    world.source.stuck.clear();
    world.source.changed();
    await world.read();
    const reads = world.source.reads.length;

    compactUnread(5);
    await eventually(() => failures().length === 2, "more was removed");

    expect(failures().map(({ retryMs }) => Number(retryMs) > TIMING.retry.maxMs)).toEqual([false, true]);
    expect(world.states()[0]).toMatchObject({ next: 3, ready: true });
    expect(world.source.reads).toHaveLength(reads);
    await world.read();
    expect(holes()).toBe(2);
    expect(world.source.reads.slice(reads)).toEqual(["t/0@0"]);
  });

  test("[R8] while it is read again nothing is said of its keys, nor of those that may have been in it", async () => {
    const elsewhere = Buffer.from("elsewhere");
    world.log.write(0, elsewhere, Buffer.from("1"));
    world.write(0, 1);
    world.start();
    await world.read();
    const shard = new SimulatedShard(world.origin.watchList);
    const ask = (key: Uint8Array) => {
      world.origin.watchList.get(shard, 1, endpointPath("t", key));
      return shard.answers.at(-1)?.says;
    };
    expect(partitionOf(elsewhere, 3)).not.toBe(0);

    world.source.stuck.add("t/0");
    world.log.write(0, elsewhere, Buffer.from("2"));
    world.write(0, 2);
    world.log.compact(0, 5, true);
    const { append } = world.origin.history;
    let refusals = 0;
    world.origin.history.append = (topic, partition, epoch, batch) => {
      try {
        return append.call(world.origin.history, topic, partition, epoch, batch);
      } catch (error) {
        refusals++;
        world.source.stuck.add("t/0");
        throw error;
      }
    };
    world.source.stuck.clear();
    world.source.changed();
    await world.origin.recorded.until("partition_hole");

    expect(refusals).toBe(1);
    for (const key of [KEY, elsewhere]) expect(ask(key)).toMatchObject({ error: { code: "unavailable" } });
    world.source.stuck.clear();
    world.source.changed();
    await world.read();
    expect(ask(elsewhere)).toMatchObject({ offset: 2 });
  });

  test("[R9] one that stopped at what can't be read goes on by itself once the log has deleted that", async () => {
    world.write(0, 2);
    world.source.failures.set("t/0", ["corrupt"]);
    world.start();
    await world.origin.recorded.until("partition_stopped");
    world.write(0, 3);

    world.log.drop(0, 3);
    await world.read();

    expect(world.origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "hole", next: 3 },
    ]);
    expect(world.origin.partitions.of("t")?.map((one) => [isStopped(one), one.trouble?.error])).toEqual(
      Array(3).fill([false, undefined]),
    );
  });

  test("[R9] what the log has deleted is forgotten, and who is live on a key of which it was the last is told", async () => {
    const kept = Buffer.from("kept");
    world.write(0, 1);
    world.log.write(0, kept, Buffer.from("1"));
    world.start();
    await world.read();
    const shard = new SimulatedShard(world.origin.watchList);
    const [object, other] = [shard.watch(1, "/t/a"), shard.watch(2, "/t/kept")];
    shard.ask(1, object);
    shard.ask(2, other);
    shard.step();

    world.log.drop(0, 1);
    await eventually(() => world.origin.history.latest("t", KEY).record === undefined, "it is forgotten");
    shard.step();
    world.write(0, 1);
    await world.read();

    expect([object.causes, object.received.map(({ offset }) => offset)]).toEqual([["horizon"], [2]]);
    expect([other.causes, other.received.map(({ offset }) => offset)]).toEqual([[], [1]]);
  });

  test("[R9] who stands at a record that the log deleted while the origin was off is told, though nothing follows", async () => {
    world.write(0, 1);
    world.log.write(0, Buffer.from("kept"), Buffer.from("1"));
    world.start();
    await world.read();
    await world.stop();
    world.log.drop(0, 1);
    world.origin = new SmallOrigin([STREAM], world.origin.history);
    world.start();
    await world.read();
    const shard = new SimulatedShard(world.origin.watchList);
    const [object, other] = [shard.watch(1, "/t/a"), shard.watch(2, "/t/kept")];
    object.position = new Map([["i0.0", 0]]);
    other.position = new Map([["i0.0", 1]]);

    shard.ask(1, object);
    shard.ask(2, other);
    shard.step();

    expect([object.causes, object.received, other.causes]).toEqual([["horizon"], [], []]);
  });

  test("a log that ends before what was read of it is read anew, loudly", async () => {
    world.write(0, 5);
    world.start();
    await world.read();
    await world.stop();
    world.log.partitions[0]?.records.splice(3);

    world.origin = new SmallOrigin([STREAM], world.origin.history);
    world.start();
    await world.read();

    expect(world.origin.recorded.of("partition_hole")).toMatchObject([
      { partition: 0, why: "truncated", next: 0 },
    ]);
    expect(world.states()[0]).toMatchObject({ next: 3, ready: true });
  });

  test("[R4] a log that lost what was read of it, and holds other records there, is read anew, and who is live is told", async () => {
    world.write(0, 5);
    world.start();
    await world.read();
    const { shard, object } = watched();

    world.source.stuck.add("t/0");
    world.log.partitions[0]?.records.splice(3);
    world.write(0, 6);
    world.source.failures.set("t/0", ["truncated"]);
    world.source.stuck.clear();
    world.source.changed();
    await world.origin.recorded.until("partition_hole");
    await world.read();
    shard.step();

    expect(world.origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "truncated", next: 0 },
    ]);
    expect(world.source.reads.filter((one) => one.startsWith("t/0"))).toEqual(["t/0@0", "t/0@0"]);
    expect(object.causes).toEqual(["horizon"]);
    expect(object.received.at(-1)?.offset).toBe(8);
  });
});
