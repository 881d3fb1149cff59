import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IndexError } from "../../../origin/index/error.ts";
import { partitionOf } from "../../../origin/kafka/partitioner.ts";
import { Consumer } from "../../../origin/reading/consumer.ts";
import { Streams } from "../../../shared/config/streams.ts";
import { endpointPath } from "../../../shared/protocol/address.ts";
import { eventually } from "../../support/deadline.ts";
import type { LogModel } from "../../support/log-model.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";
import { NOW, SmallOrigin, STREAM } from "../../support/small-origin.ts";
import { SimulatedShard } from "../../support/watching.ts";

const TIMING = { retry: { baseMs: 4, maxMs: 16 }, absentMs: 5, describeMs: 20, forgetMs: 60 };
const KEY = Buffer.from("a");
/** More than a test takes for what follows it. */
const LONG_READ_MS = 1_000;

let source: ScriptedSource;
let log: LogModel;
let origin: SmallOrigin;
let consumer: Consumer;
let fatal: unknown[];

beforeEach(() => {
  source = new ScriptedSource();
  log = source.topic("t", 3);
  origin = new SmallOrigin();
  fatal = [];
});

afterEach(async () => {
  await consumer.stop();
});

function start(streams = [STREAM]): void {
  consumer = new Consumer({
    source,
    streams: new Streams(streams),
    forwarder: origin.forwarder,
    partitions: origin.partitions,
    log: origin.recorded.log,
    random: () => 1,
    now: () => NOW,
    fatal: (error) => fatal.push(error),
    timing: TIMING,
  });
  consumer.start();
}

function write(partition: number, count: number): void {
  for (let i = 0; i < count; i++) log.write(partition, KEY, Buffer.from("1"));
  source.changed();
}

/** Resolves when every partition but those excepted has been read to its end. */
async function read(except: readonly number[] = []): Promise<void> {
  const isRead = () =>
    log.describe().every(({ partition, epoch, endOffset }) => {
      const state = origin.partitions.find("t", epoch);
      return except.includes(partition) || (state?.ready && state.next === endOffset);
    });
  await eventually(isRead, "every partition is read to its end");
}

const statesOf = () => origin.partitions.all().map(({ next, ready, error }) => ({ next, ready, error }));

describe("partitions by themselves", () => {
  test("[U9] each is read to its end, and then all are ready", async () => {
    write(0, 5);
    write(2, 1);
    start();
    expect(origin.partitions.ready).toBe(false);

    await read();

    expect(origin.partitions.ready).toBe(true);
    expect(statesOf().map(({ next }) => next)).toEqual([5, 0, 1]);
    write(1, 1);
    await read();
    expect(origin.partitions.ready).toBe(true);
  });

  test("one that hangs delays no other, and only it isn't ready", async () => {
    for (const partition of [0, 1, 2]) write(partition, 5);
    source.stuck.add("t/1");
    start();

    await read([1]);

    expect(statesOf().map(({ ready }) => ready)).toEqual([true, false, true]);
    expect(origin.partitions.ready).toBe(false);
    source.stuck.clear();
    source.changed();
    await read();
    expect(origin.partitions.ready).toBe(true);
  });

  test("one that fails is tried again after growing delays, is in error meanwhile, and delays no other", async () => {
    for (const partition of [0, 1, 2]) write(partition, 5);
    source.failures.set("t/1", ["unavailable", "unavailable", "unavailable", "unavailable"]);
    start();

    await origin.recorded.until("partition_failed");
    expect(origin.partitions.all()[1]?.error).toBe("unavailable: scripted");
    await read();

    const failed = [...origin.recorded.of("partition_failed"), ...origin.recorded.of("still_failing")];
    expect(failed.map(({ partition }) => partition)).toEqual([1, 1, 1, 1]);
    expect(failed.map(({ retryMs }) => retryMs)).toEqual([4, 8, 16, 16]);
    expect(statesOf()[1]).toEqual({ next: 5, ready: true, error: undefined });
    expect(source.reads.filter((one) => one.startsWith("t/0"))).toHaveLength(1);
  });

  test("one with a record that can't be read stays stopped, loudly; nothing is skipped, and the others go on", async () => {
    source.failures.set("t/1", ["corrupt"]);
    start();
    await origin.recorded.until("partition_stopped");

    for (const partition of [0, 1, 2]) write(partition, 3);
    await read([1]);
    // The topic is looked at again meanwhile.
    const { described } = source;
    await eventually(() => source.described >= described + 3, "three more looks at the topic");

    expect(statesOf()[1]).toEqual({ next: 0, ready: false, error: "corrupt: scripted" });
    expect(origin.partitions.of("t")?.map(({ stopped }) => stopped === true)).toEqual([false, true, false]);
    expect(source.reads.filter((one) => one.startsWith("t/1"))).toHaveLength(1);
  });

  test("between two batches of many records others get their turn, however long the backlog is", async () => {
    source.batchRecords = 100;
    for (const partition of [0, 1, 2]) write(partition, 5_000);
    let turns = 0;
    const turn = () => {
      turns++;
      if (!origin.partitions.ready) setImmediate(turn);
    };
    start();
    setImmediate(turn);

    await read();

    expect(turns).toBeGreaterThan(40);
  });
});

describe("a partition whose offsets can't be had", () => {
  const down = () => source.unavailable.set("t/1", "it has no leader just now");

  test("is in error and unready, told of once, and holds up no other; it is read once they can be had", async () => {
    for (const partition of [0, 1, 2]) write(partition, 5);
    down();
    start();

    await read([1]);
    await origin.recorded.until("still_failing", 3);
    write(0, 1);
    await read([1]);

    expect(statesOf()[1]).toEqual({ next: 0, ready: false, error: "it has no leader just now" });
    expect(origin.partitions.ready).toBe(false);
    expect(origin.recorded.of("partition_failed")).toEqual([
      { topic: "t", partition: 1, code: "unavailable", message: "it has no leader just now", retryMs: 4 },
    ]);
    expect(origin.recorded.of("still_failing").map(({ retryMs }) => retryMs)).toEqual(
      expect.arrayContaining([8, 16]),
    );
    source.unavailable.clear();
    await read();
    expect(statesOf()[1]).toEqual({ next: 5, ready: true, error: undefined });
    expect(source.reads).toEqual(["t/0@0", "t/2@0", "t/1@0"]);
    await origin.recorded.until("trouble_over");
  });

  test("goes on where the index ends, with nothing left out, and what waited for it is answered", async () => {
    write(1, 5);
    start();
    await read();
    await consumer.stop();
    write(1, 3);
    down();
    origin = new SmallOrigin([STREAM], origin.history);
    start();
    await read([1]);
    const shard = new SimulatedShard(origin.watchList);
    const object = shard.watch(1, "/t/a");
    shard.ask(1, object);
    shard.step();
    expect(object.received).toEqual([]);

    source.unavailable.clear();
    await read();
    shard.step();

    expect(source.reads.at(-1)).toBe("t/1@5");
    expect(object.received.map(({ offset }) => offset)).toEqual([5, 6, 7]);
  });

  test("begins where the stream says, counted from when they can be had, though others have begun before", async () => {
    for (const partition of [0, 1, 2]) write(partition, 5);
    down();
    start([{ ...STREAM, start: "latest" }]);
    await read([1]);

    source.unavailable.clear();
    await read();

    expect(source.reads).toEqual(["t/0@5", "t/2@5", "t/1@5"]);
  });

  test("[R4] begins after a hole where the log dropped what comes next meanwhile, and who is live is told", async () => {
    write(1, 5);
    start();
    await read();
    await consumer.stop();
    down();
    write(1, 5);
    log.drop(1, 8);
    origin = new SmallOrigin([STREAM], origin.history);
    start();
    await read([1]);
    const shard = new SimulatedShard(origin.watchList);
    const object = shard.watch(1, "/t/a");
    object.position = new Map();
    shard.ask(1, object);
    shard.step();
    expect(object.received.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);

    source.unavailable.clear();
    await read();
    shard.step();

    expect(origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 1, why: "hole", next: 8 },
    ]);
    expect(object.causes).toEqual(["horizon"]);
  });

  test("is no trouble any more once its topic is gone", async () => {
    down();
    start();
    await origin.recorded.until("partition_failed");

    source.logs.clear();

    await origin.recorded.until("trouble_over");
    await origin.recorded.until("topic_absent");
  });
});

describe("where reading begins", () => {
  test("where the index is empty, at the beginning of what the log holds or at its end, as the stream says", async () => {
    write(0, 5);
    log.drop(0, 2);
    start();
    await read();
    await consumer.stop();
    expect(source.reads[0]).toBe("t/0@2");

    origin = new SmallOrigin([{ ...STREAM, start: "latest" }]);
    source.reads.length = 0;
    start([{ ...STREAM, start: "latest" }]);
    await read();

    expect(source.reads[0]).toBe("t/0@5");
  });

  test("after a restart where the index ends, whatever the stream says", async () => {
    write(0, 5);
    start();
    await read();
    await consumer.stop();
    write(0, 3);
    source.reads.length = 0;

    origin = new SmallOrigin([{ ...STREAM, start: "latest" }], origin.history);
    start([{ ...STREAM, start: "latest" }]);
    await read();

    expect(source.reads).toEqual(["t/0@5", "t/1@0", "t/2@0"]);
  });

  test("a topic that doesn't exist yet is looked for; when it comes it is read from its beginning", async () => {
    source.logs.clear();
    const latest = { ...STREAM, start: "latest" as const };
    start([latest]);
    await origin.recorded.until("topic_absent");
    expect(origin.partitions.ready).toBe(true);

    log = source.topic("t", 3);
    write(1, 4);
    await read();

    expect(source.reads).toEqual(["t/0@0", "t/1@0", "t/2@0"]);
    expect(origin.recorded.of("topic_absent")).toHaveLength(1);
  });

  test("partitions that are added are found, and read from their beginning", async () => {
    start([{ ...STREAM, start: "latest" }]);
    await read();

    log.grow();
    write(3, 2);
    await read();

    expect(source.reads.at(-1)).toBe("t/3@0");
    expect(source.reads).toHaveLength(4);
  });

  test("a topic that can't be described is tried again after growing delays", async () => {
    source.describeFailures = 3;
    start();

    await read();

    const told = [...origin.recorded.of("topic_unreadable"), ...origin.recorded.of("still_failing")];
    expect(told.map(({ retryMs }) => retryMs)).toEqual([4, 8, 16]);
  });

  test("why a topic can't be described is known as long as that lasts", async () => {
    source.describeFailures = 1;
    start();

    await origin.recorded.until("topic_unreadable");
    expect(origin.partitions.errorOf("t")).toBe("scripted");
    await read();

    await eventually(() => origin.partitions.errorOf("t") === undefined, "it can be described");
  });

  test("how much a transaction holds back is known of each partition, without a record, and since when it stands", async () => {
    for (const partition of [0, 1, 2]) write(partition, 2);
    start();
    await read();
    const held = () => origin.partitions.of("t")?.map(({ heldBack, heldSince }) => [heldBack, heldSince]);
    expect(held()).toEqual([...Array(3)].map(() => [0, undefined]));

    source.heldBack.set("t/1", 7);
    source.changed();
    await eventually(() => origin.partitions.of("t")?.[1]?.heldBack === 7, "it is known");
    const since = origin.partitions.of("t")?.[1]?.heldSince;
    expect(since).toBeLessThanOrEqual(performance.now());
    source.heldBack.set("t/1", 9);
    source.changed();
    await eventually(() => origin.partitions.of("t")?.[1]?.heldBack === 9, "more is");
    expect(held()?.[1]).toEqual([9, since]);
    expect(origin.partitions.ready).toBe(true);
    source.heldBack.clear();
    source.changed();

    await eventually(() => origin.partitions.of("t")?.[1]?.heldBack === 0, "it is over");
    expect(held()).toEqual([...Array(3)].map(() => [0, undefined]));
  });

  test("what befalls many, again and again, is told of once; so is its end; and when it comes back, again", async () => {
    const down = () => {
      for (const name of ["t/0", "t/1", "t/2"]) source.failures.set(name, Array(3).fill("unavailable"));
    };
    down();
    start();
    await read();
    await origin.recorded.until("trouble_over");

    expect(origin.recorded.of("partition_failed")).toHaveLength(1);
    expect(origin.recorded.of("still_failing")).toHaveLength(8);

    down();
    for (const partition of [0, 1, 2]) write(partition, 1);
    await origin.recorded.until("trouble_over", 2);
    expect(origin.recorded.of("partition_failed")).toHaveLength(2);
    expect(origin.recorded.of("trouble_over")).toHaveLength(2);
  });
});

describe("where the log is another", () => {
  test("[P4] [R4] a topic that was created again is read anew, and who is live is told so", async () => {
    write(0, 5);
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const object = shard.watch(1, "/t/a");
    shard.ask(1, object);
    shard.step();

    log.recreate(3);
    write(1, 2);
    await read();
    shard.step();

    expect(origin.recorded.of("topic_replaced")).toHaveLength(1);
    expect(object.causes).toEqual(["epoch"]);
    expect(object.position).toEqual(new Map([["i1.1", 1]]));
  });

  test("[R4] where the log dropped what comes next, reading goes on with the oldest, loudly, and who is live is told", async () => {
    write(0, 5);
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const object = shard.watch(1, "/t/a");
    shard.ask(1, object);
    shard.step();

    source.stuck.add("t/0");
    write(0, 5);
    log.drop(0, 8);
    source.stuck.clear();
    source.changed();
    await read();
    shard.step();

    expect(origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "hole", next: 8 },
    ]);
    expect(object.causes).toEqual(["horizon"]);
    expect(object.received.map(({ offset }) => offset)).toEqual([8, 9]);
  });

  test("[R8] where the log has removed what comes next, all is read again, and told once that is done", async () => {
    const gone = Buffer.from("gone");
    log.write(0, gone, Buffer.from("1"));
    write(0, 1);
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const [object, other] = [shard.watch(1, "/t/a"), shard.watch(2, "/t/gone")];
    shard.ask(1, object);
    shard.ask(2, other);
    shard.step();

    source.stuck.add("t/0");
    log.write(0, gone, null);
    write(0, 2);
    log.compact(0, 5, true);
    source.changed();
    const reads = source.reads.length;
    source.stuck.clear();
    source.changed();
    await read();
    shard.step();

    expect(origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "removed", next: 0 },
    ]);
    expect(source.reads.slice(reads)).toEqual(["t/0@0"]);
    expect([object.causes, object.received.map(({ offset }) => offset)]).toEqual([["horizon"], [4]]);
    expect([other.causes, other.received]).toEqual([["horizon"], []]);
    expect(origin.history.latest("t", gone).record).toBeUndefined();
  });

  test("[R8] where more is removed right after, it stays proved as it was for as long as reading it again took", async () => {
    const compactUnread = (to: number) => {
      source.stuck.add("t/0");
      write(0, 2);
      log.compact(0, to, true);
      source.stuck.clear();
      source.changed();
    };
    const holes = () => origin.recorded.of("partition_hole").length;
    const failures = () => origin.recorded.of("partition_failed");
    const { begin } = origin.history;
    origin.history.begin = (topic, info, start, removed) => {
      if (removed === true && holes() === 0) source.stuck.add("t/0");
      return begin.call(origin.history, topic, info, start, removed);
    };
    write(0, 1);
    start();
    await read();
    compactUnread(3);
    await eventually(() => holes() === 1, "it is being read again");
    await new Promise((resolve) => setTimeout(resolve, LONG_READ_MS));
    source.stuck.clear();
    source.changed();
    await read();
    const reads = source.reads.length;

    compactUnread(5);
    await eventually(() => failures().length === 2, "more was removed");

    expect(failures().map(({ retryMs }) => Number(retryMs) > TIMING.retry.maxMs)).toEqual([false, true]);
    expect(statesOf()[0]).toMatchObject({ next: 3, ready: true });
    expect(source.reads).toHaveLength(reads);
    await read();
    expect(holes()).toBe(2);
    expect(source.reads.slice(reads)).toEqual(["t/0@0"]);
  });

  test("[R8] while it is read again nothing is said of its keys, nor of those that may have been in it", async () => {
    const elsewhere = Buffer.from("elsewhere");
    log.write(0, elsewhere, Buffer.from("1"));
    write(0, 1);
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const ask = (key: Uint8Array) => {
      origin.watchList.get(shard, 1, endpointPath("t", key));
      return shard.answers.at(-1)?.says;
    };
    expect(partitionOf(elsewhere, 3)).not.toBe(0);

    source.stuck.add("t/0");
    log.write(0, elsewhere, Buffer.from("2"));
    write(0, 2);
    log.compact(0, 5, true);
    const { append } = origin.history;
    let refusals = 0;
    origin.history.append = (topic, partition, epoch, batch) => {
      try {
        return append.call(origin.history, topic, partition, epoch, batch);
      } catch (error) {
        refusals++;
        source.stuck.add("t/0");
        throw error;
      }
    };
    source.stuck.clear();
    source.changed();
    await origin.recorded.until("partition_hole");

    expect(refusals).toBe(1);
    for (const key of [KEY, elsewhere]) expect(ask(key)).toMatchObject({ error: { code: "unavailable" } });
    source.stuck.clear();
    source.changed();
    await read();
    expect(ask(elsewhere)).toMatchObject({ offset: 2 });
  });

  test("[R9] one that stopped at what can't be read goes on by itself once the log has deleted that", async () => {
    write(0, 2);
    source.failures.set("t/0", ["corrupt"]);
    start();
    await origin.recorded.until("partition_stopped");
    write(0, 3);

    log.drop(0, 3);
    await read();

    expect(origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "hole", next: 3 },
    ]);
    expect(origin.partitions.of("t")?.map(({ stopped, error }) => [stopped ?? false, error])).toEqual(
      Array(3).fill([false, undefined]),
    );
  });

  test("[R9] what the log has deleted is forgotten, and who is live on a key of which it was the last is told", async () => {
    const kept = Buffer.from("kept");
    write(0, 1);
    log.write(0, kept, Buffer.from("1"));
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const [object, other] = [shard.watch(1, "/t/a"), shard.watch(2, "/t/kept")];
    shard.ask(1, object);
    shard.ask(2, other);
    shard.step();

    log.drop(0, 1);
    await eventually(() => origin.history.latest("t", KEY).record === undefined, "it is forgotten");
    shard.step();
    write(0, 1);
    await read();

    expect([object.causes, object.received.map(({ offset }) => offset)]).toEqual([["horizon"], [2]]);
    expect([other.causes, other.received.map(({ offset }) => offset)]).toEqual([[], [1]]);
  });

  test("[R9] who stands at a record that the log deleted while the origin was off is told, though nothing follows", async () => {
    write(0, 1);
    log.write(0, Buffer.from("kept"), Buffer.from("1"));
    start();
    await read();
    await consumer.stop();
    log.drop(0, 1);
    origin = new SmallOrigin([STREAM], origin.history);
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const [object, other] = [shard.watch(1, "/t/a"), shard.watch(2, "/t/kept")];
    object.position = new Map([["i0.0", 0]]);
    other.position = new Map([["i0.0", 1]]);

    shard.ask(1, object);
    shard.ask(2, other);
    shard.step();

    expect([object.causes, object.received, other.causes]).toEqual([["horizon"], [], []]);
  });

  test("a log that ends before what was read of it is read anew, loudly", async () => {
    write(0, 5);
    start();
    await read();
    await consumer.stop();
    log.partitions[0]?.records.splice(3);

    origin = new SmallOrigin([STREAM], origin.history);
    start();
    await read();

    expect(origin.recorded.of("partition_hole")).toMatchObject([{ partition: 0, why: "truncated", next: 0 }]);
    expect(statesOf()[0]).toMatchObject({ next: 3, ready: true });
  });

  test("[R4] a log that lost what was read of it, and holds other records there, is read anew, and who is live is told", async () => {
    write(0, 5);
    start();
    await read();
    const shard = new SimulatedShard(origin.watchList);
    const object = shard.watch(1, "/t/a");
    shard.ask(1, object);
    shard.step();

    source.stuck.add("t/0");
    log.partitions[0]?.records.splice(3);
    write(0, 6);
    source.failures.set("t/0", ["truncated"]);
    source.stuck.clear();
    source.changed();
    await origin.recorded.until("partition_hole");
    await read();
    shard.step();

    expect(origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "truncated", next: 0 },
    ]);
    expect(source.reads.filter((one) => one.startsWith("t/0"))).toEqual(["t/0@0", "t/0@0"]);
    expect(object.causes).toEqual(["horizon"]);
    expect(object.received.at(-1)?.offset).toBe(8);
  });
});

describe("what can't be helped", () => {
  test("a disk that is full holds up its partition until it isn't", async () => {
    const { history } = origin;
    const append = history.append.bind(history);
    let full = 3;
    history.append = (topic, partition, epoch, batch) => {
      if (partition === 1 && full-- > 0) throw new IndexError("disk_failed", "scripted");
      return append(topic, partition, epoch, batch);
    };
    write(1, 3);
    start();

    await read();

    const told = [...origin.recorded.of("partition_failed"), ...origin.recorded.of("still_failing")];
    expect(told.map(({ code }) => code)).toEqual(Array(3).fill("disk_failed"));
    expect(fatal).toEqual([]);
  });

  test.each([new IndexError("corrupt", "scripted"), new TypeError("a fault")])(
    "%s is not tried again: going on could lose records in silence",
    async (error) => {
      const { history } = origin;
      const append = history.append.bind(history);
      history.append = (topic, partition, epoch, batch) => {
        if (partition === 1) throw error;
        return append(topic, partition, epoch, batch);
      };
      start();

      await read([1]);

      expect(fatal).toEqual([error]);
      expect(source.reads.filter((one) => one.startsWith("t/1"))).toHaveLength(1);
    },
  );

  test("stopping ends all reads", async () => {
    start();
    await read();

    await consumer.stop();
    write(0, 1);
    await new Promise((resolve) => setImmediate(resolve));

    expect(statesOf()[0]?.next).toBe(0);
  });
});
