/** Reading all partitions of a topic: from where, each by itself, and what becomes of it where that fails. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IndexError } from "../../../origin/index/error.ts";
import { isStopped } from "../../../origin/reading/partitions.ts";
import { ConsumerWorld } from "../../support/consumer-world.ts";
import { eventually } from "../../support/deadline.ts";
import { SmallOrigin, STREAM } from "../../support/small-origin.ts";

let world: ConsumerWorld;

beforeEach(() => {
  world = new ConsumerWorld();
});
afterEach(() => world.stop());

describe("partitions by themselves", () => {
  test("[U9] each is read to its end, and then all are ready", async () => {
    world.write(0, 5);
    world.write(2, 1);
    world.start();
    expect(world.origin.partitions.ready).toBe(false);

    await world.read();

    expect(world.origin.partitions.ready).toBe(true);
    expect(world.states().map(({ next }) => next)).toEqual([5, 0, 1]);
    world.write(1, 1);
    await world.read();
    expect(world.origin.partitions.ready).toBe(true);
  });

  test("one that hangs delays no other, and only it isn't ready", async () => {
    for (const partition of [0, 1, 2]) world.write(partition, 5);
    world.source.stuck.add("t/1");
    world.start();

    await world.read([1]);

    expect(world.states().map(({ ready }) => ready)).toEqual([true, false, true]);
    expect(world.origin.partitions.ready).toBe(false);
    world.source.stuck.clear();
    world.source.changed();
    await world.read();
    expect(world.origin.partitions.ready).toBe(true);
  });

  test("one that fails is tried again after growing delays, is in error meanwhile, and delays no other", async () => {
    for (const partition of [0, 1, 2]) world.write(partition, 5);
    world.source.failures.set("t/1", ["unavailable", "unavailable", "unavailable", "unavailable"]);
    world.start();

    await world.origin.recorded.until("partition_failed");
    expect(world.origin.partitions.all()[1]?.trouble).toEqual({
      kind: "retried",
      error: "unavailable: scripted",
    });
    await world.read();

    const failed = [
      ...world.origin.recorded.of("partition_failed"),
      ...world.origin.recorded.of("still_failing"),
    ];
    expect(failed.map(({ partition }) => partition)).toEqual([1, 1, 1, 1]);
    expect(failed.map(({ retryMs }) => retryMs)).toEqual([4, 8, 16, 16]);
    expect(world.states()[1]).toEqual({ next: 5, ready: true, error: undefined });
    expect(world.source.reads.filter((one) => one.startsWith("t/0"))).toHaveLength(1);
  });

  test("one with a record that can't be read stays stopped, loudly; nothing is skipped, and the others go on", async () => {
    world.source.failures.set("t/1", ["corrupt"]);
    world.start();
    await world.origin.recorded.until("partition_stopped");

    for (const partition of [0, 1, 2]) world.write(partition, 3);
    await world.read([1]);
    // The topic is looked at again meanwhile.
    const { described } = world.source;
    await eventually(() => world.source.described >= described + 3, "three more looks at the topic");

    expect(world.states()[1]).toEqual({ next: 0, ready: false, error: "corrupt: scripted" });
    expect(world.origin.partitions.of("t")?.map(isStopped)).toEqual([false, true, false]);
    expect(world.source.reads.filter((one) => one.startsWith("t/1"))).toHaveLength(1);
  });

  test("between two batches of many records others get their turn, however long the backlog is", async () => {
    world.source.batchRecords = 100;
    for (const partition of [0, 1, 2]) world.write(partition, 5_000);
    let turns = 0;
    const turn = () => {
      turns++;
      if (!world.origin.partitions.ready) setImmediate(turn);
    };
    world.start();
    setImmediate(turn);

    await world.read();

    expect(turns).toBeGreaterThan(40);
  });
});

describe("where reading begins", () => {
  test("where the index is empty, at the beginning of what the log holds or at its end, as the stream says", async () => {
    world.write(0, 5);
    world.log.drop(0, 2);
    world.start();
    await world.read();
    await world.stop();
    expect(world.source.reads[0]).toBe("t/0@2");

    world.origin = new SmallOrigin([{ ...STREAM, start: "latest" }]);
    world.source.reads.length = 0;
    world.start([{ ...STREAM, start: "latest" }]);
    await world.read();

    expect(world.source.reads[0]).toBe("t/0@5");
  });

  test("after a restart where the index ends, whatever the stream says", async () => {
    world.write(0, 5);
    world.start();
    await world.read();
    await world.stop();
    world.write(0, 3);
    world.source.reads.length = 0;

    world.origin = new SmallOrigin([{ ...STREAM, start: "latest" }], world.origin.history);
    world.start([{ ...STREAM, start: "latest" }]);
    await world.read();

    expect(world.source.reads).toEqual(["t/0@5", "t/1@0", "t/2@0"]);
  });

  test("a topic that doesn't exist yet is looked for; when it comes it is read from its beginning", async () => {
    world.source.logs.clear();
    const latest = { ...STREAM, start: "latest" as const };
    world.start([latest]);
    await world.origin.recorded.until("topic_absent");
    expect(world.origin.partitions.ready).toBe(true);

    world.log = world.source.topic("t", 3);
    world.write(1, 4);
    await world.read();

    expect(world.source.reads).toEqual(["t/0@0", "t/1@0", "t/2@0"]);
    expect(world.origin.recorded.of("topic_absent")).toHaveLength(1);
  });

  test("partitions that are added are found, and read from their beginning", async () => {
    world.start([{ ...STREAM, start: "latest" }]);
    await world.read();

    world.log.grow();
    world.write(3, 2);
    await world.read();

    expect(world.source.reads.at(-1)).toBe("t/3@0");
    expect(world.source.reads).toHaveLength(4);
  });

  test("a topic that can't be described is tried again after growing delays", async () => {
    world.source.describeFailures = 3;
    world.start();

    await world.read();

    const told = [
      ...world.origin.recorded.of("topic_unreadable"),
      ...world.origin.recorded.of("still_failing"),
    ];
    expect(told.map(({ retryMs }) => retryMs)).toEqual([4, 8, 16]);
  });

  test("why a topic can't be described is known as long as that lasts", async () => {
    world.source.describeFailures = 1;
    world.start();

    await world.origin.recorded.until("topic_unreadable");
    expect(world.origin.partitions.errorOf("t")).toBe("scripted");
    await world.read();

    await eventually(() => world.origin.partitions.errorOf("t") === undefined, "it can be described");
  });

  test("how much a transaction holds back is known of each partition, without a record, and since when it stands", async () => {
    for (const partition of [0, 1, 2]) world.write(partition, 2);
    world.start();
    await world.read();
    const held = () =>
      world.origin.partitions.of("t")?.map(({ heldBack, heldSince }) => [heldBack, heldSince]);
    expect(held()).toEqual([...Array(3)].map(() => [0, undefined]));

    world.source.heldBack.set("t/1", 7);
    world.source.changed();
    await eventually(() => world.origin.partitions.of("t")?.[1]?.heldBack === 7, "it is known");
    const since = world.origin.partitions.of("t")?.[1]?.heldSince;
    expect(since).toBeLessThanOrEqual(performance.now());
    world.source.heldBack.set("t/1", 9);
    world.source.changed();
    await eventually(() => world.origin.partitions.of("t")?.[1]?.heldBack === 9, "more is");
    expect(held()?.[1]).toEqual([9, since]);
    expect(world.origin.partitions.ready).toBe(true);
    world.source.heldBack.clear();
    world.source.changed();

    await eventually(() => world.origin.partitions.of("t")?.[1]?.heldBack === 0, "it is over");
    expect(held()).toEqual([...Array(3)].map(() => [0, undefined]));
  });

  test("what befalls many, again and again, is told of once; so is its end; and when it comes back, again", async () => {
    const down = () => {
      for (const name of ["t/0", "t/1", "t/2"]) world.source.failures.set(name, Array(3).fill("unavailable"));
    };
    down();
    world.start();
    await world.read();
    await world.origin.recorded.until("trouble_over");

    expect(world.origin.recorded.of("partition_failed")).toHaveLength(1);
    expect(world.origin.recorded.of("still_failing")).toHaveLength(8);

    down();
    for (const partition of [0, 1, 2]) world.write(partition, 1);
    await world.origin.recorded.until("trouble_over", 2);
    expect(world.origin.recorded.of("partition_failed")).toHaveLength(2);
    expect(world.origin.recorded.of("trouble_over")).toHaveLength(2);
  });
});

describe("what can't be helped", () => {
  test("a disk that is full holds up its partition until it isn't", async () => {
    const { history } = world.origin;
    const append = history.append.bind(history);
    let full = 3;
    history.append = (topic, partition, epoch, batch) => {
      if (partition === 1 && full-- > 0) throw new IndexError("disk_failed", "scripted");
      return append(topic, partition, epoch, batch);
    };
    world.write(1, 3);
    world.start();

    await world.read();

    const told = [
      ...world.origin.recorded.of("partition_failed"),
      ...world.origin.recorded.of("still_failing"),
    ];
    expect(told.map(({ code }) => code)).toEqual(Array(3).fill("disk_failed"));
    expect(world.fatal).toEqual([]);
  });

  test.each([new IndexError("corrupt", "scripted"), new TypeError("a fault")])(
    "%s is not tried again: going on could lose records in silence",
    async (error) => {
      const { history } = world.origin;
      const append = history.append.bind(history);
      history.append = (topic, partition, epoch, batch) => {
        if (partition === 1) throw error;
        return append(topic, partition, epoch, batch);
      };
      world.start();

      await world.read([1]);

      expect(world.fatal).toEqual([error]);
      expect(world.source.reads.filter((one) => one.startsWith("t/1"))).toHaveLength(1);
    },
  );

  test("stopping ends all reads", async () => {
    world.start();
    await world.read();

    await world.stop();
    world.write(0, 1);
    await new Promise((resolve) => setImmediate(resolve));

    expect(world.states()[0]?.next).toBe(0);
  });
});
