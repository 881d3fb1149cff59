/** Topics that match patterns: found as they come, dropped when they go. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Stream } from "../../../shared/config/streams.ts";
import { Consuming, type ConsumingOptions } from "../../support/consuming.ts";
import { eventually } from "../../support/deadline.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";
import { STREAM } from "../../support/small-origin.ts";
import { SimulatedShard } from "../../support/watching.ts";

const KEY = Buffer.from("a");
const ALL: Stream = { ...STREAM, topic: "orders.*", start: "latest" };

let source: ScriptedSource;
let running: Consuming[];

beforeEach(() => {
  source = new ScriptedSource();
  running = [];
});
afterEach(async () => {
  for (const one of running) await one.stop();
});

function start(streams: readonly Stream[] = [ALL], options: ConsumingOptions = {}): Consuming {
  const consuming = new Consuming(streams, { source, ...options });
  running.push(consuming);
  return consuming;
}

function topic(name: string, records = 2): void {
  const log = source.topic(name, 1);
  for (let i = 0; i < records; i++) log.write(0, KEY, Buffer.from("1"));
  source.changed();
}

describe("topics that match a pattern", () => {
  test("are read, each as its stream says; others, and Kafka's own, are not", async () => {
    for (const name of ["orders.a", "orders.b", "orders.b.old", "invoices", "__orders.x"]) topic(name);
    const streams = [
      ALL,
      { ...STREAM, topic: "orders.b" },
      { ...STREAM, topic: "*.old", start: "1h" },
    ] as const;
    source.logs.get("orders.b.old")?.recreate(1);
    const consuming = start(streams);

    await consuming.origin.recorded.until("topic_found", 3);
    await consuming.listed();

    expect(source.reads.toSorted()).toEqual(["orders.a/0@2", "orders.b.old/0@0", "orders.b/0@0"]);
    // The pattern that is longer has it.
    expect(source.timesAsked).toEqual([]);
    const found = consuming.origin.recorded.of("topic_found");
    expect(found.map(({ topic, from }) => [topic, from]).toSorted()).toEqual([
      ["orders.a", "latest"],
      ["orders.b", "earliest"],
      ["orders.b.old", "latest"],
    ]);
  });

  test("[U9] and readiness waits until they were listed, and each was read", async () => {
    source.listFailures = 3;
    topic("orders.a");
    source.stuck.add("orders.a/0");
    const consuming = start([{ ...ALL, start: "earliest" }]);
    await consuming.origin.recorded.until("topics_unlisted");
    expect(consuming.origin.partitions.of("orders.none")).toBeUndefined();

    await consuming.origin.recorded.until("topic_found");
    expect(consuming.origin.partitions.of("orders.none")).toEqual([]);
    expect(consuming.origin.partitions.ready).toBe(false);
    source.stuck.clear();
    source.changed();
    await consuming.read("orders.a");

    expect(consuming.origin.partitions.ready).toBe(true);
  });

  test("where none is there, the origin is ready", async () => {
    const consuming = start();

    await eventually(() => consuming.origin.partitions.ready, "ready");
  });

  test("that are created while the origin runs are found, and read from their beginning", async () => {
    const consuming = start();
    await consuming.listed();

    topic("orders.new");
    await consuming.origin.recorded.until("topic_found");
    await consuming.read("orders.new");

    expect(source.reads).toEqual(["orders.new/0@0"]);
  });

  test("listing that fails is tried again after growing delays, told of once, and so is its end; what was found is read on", async () => {
    topic("orders.a");
    const consuming = start();
    await consuming.origin.recorded.until("topic_found");
    source.listFailures = 4;
    const { recorded, partitions } = consuming.origin;

    await recorded.until("topics_unlisted");
    expect(partitions.listingFacts).toEqual({ isKnown: true, error: "scripted", leftOut: 0 });
    await recorded.until("trouble_over");
    expect(partitions.listingFacts).toEqual({ isKnown: true, error: undefined, leftOut: 0 });
    source.logs.get("orders.a")?.write(0, KEY, Buffer.from("2"));
    source.changed();
    await consuming.read("orders.a");

    const told = [...recorded.of("topics_unlisted"), ...recorded.of("still_failing")];
    expect(told.map(({ retryMs }) => retryMs)).toEqual([4, 8, 16, 16]);
    expect(recorded.of("topics_unlisted")).toHaveLength(1);
  });
});

describe("topics that go", () => {
  test("are looked for a while, and then forgotten; one of that name that comes later is read from its beginning", async () => {
    topic("orders.a");
    const consuming = start();
    await consuming.origin.recorded.until("topic_found");
    await consuming.read("orders.a");

    source.logs.delete("orders.a");
    source.changed();
    await consuming.origin.recorded.until("topic_gone");
    expect(consuming.origin.history.views("orders.a", KEY)).toEqual([]);
    expect(consuming.origin.partitions.all()).toEqual([]);
    expect(consuming.origin.partitions.ready).toBe(true);

    topic("orders.a", 3);
    await consuming.origin.recorded.until("topic_found", 2);
    await consuming.read("orders.a");
    expect(source.reads.at(-1)).toBe("orders.a/0@0");
  });

  test("for a moment only keep what was known of them", async () => {
    topic("orders.a");
    const consuming = start();
    await consuming.origin.recorded.until("topic_found");
    await consuming.read("orders.a");
    const log = source.logs.get("orders.a");

    source.logs.delete("orders.a");
    source.changed();
    await consuming.origin.recorded.until("topic_absent");
    if (log !== undefined) source.logs.set("orders.a", log);
    await consuming.origin.recorded.until("topic_found", 2);

    expect(consuming.origin.recorded.of("topic_gone")).toEqual([]);
    expect(source.reads.at(-1)).toBe("orders.a/0@2");
  });
});

describe("after a restart", () => {
  test("topics that have gone meanwhile are forgotten, too", async () => {
    for (const name of ["orders.a", "orders.b"]) topic(name);
    const first = start();
    await first.origin.recorded.until("topic_found", 2);
    await first.read("orders.a");
    await first.stop();
    source.logs.delete("orders.a");

    const second = start([ALL], { history: first.origin.history });
    expect(await second.origin.recorded.until("topic_gone")).toEqual({ topic: "orders.a" });

    expect([...second.origin.history.topics()]).toEqual(["orders.b"]);
  });

  test("those that were read before are read again, though others come before them by name", async () => {
    topic("orders.b");
    const first = start([ALL], { maxMatched: 1 });
    await first.origin.recorded.until("topic_found");
    await first.read("orders.b");
    await first.stop();
    topic("orders.a");

    const second = start([ALL], { history: first.origin.history, maxMatched: 1 });

    expect(await second.origin.recorded.until("topics_left_out")).toMatchObject({ first: "orders.a" });
    expect(await second.origin.recorded.until("topic_found")).toMatchObject({ topic: "orders.b" });
  });
});

describe("more topics than are read", () => {
  test("are left out, loudly, until others have gone", async () => {
    for (const name of ["orders.c", "orders.a", "orders.b", "orders.d"]) topic(name);
    const consuming = start([ALL], { maxMatched: 2 });
    const { recorded, partitions } = consuming.origin;
    await recorded.until("topics_left_out");
    await consuming.listed();

    expect(source.reads.toSorted()).toEqual(["orders.a/0@2", "orders.b/0@2"]);
    expect(recorded.of("topics_left_out")).toEqual([{ read: 2, leftOut: 2, first: "orders.c" }]);
    // What they hold isn't known, which is another answer than that they hold nothing.
    expect([partitions.of("orders.c"), partitions.of("orders.none")]).toEqual([undefined, []]);
    expect(partitions.ready).toBe(true);

    source.logs.delete("orders.a");
    source.changed();
    await recorded.until("topic_found", 3);
    await consuming.read("orders.c");
    expect(source.reads.at(-1)).toBe("orders.c/0@0");
  });
});

describe("who watches a topic that matches", () => {
  function watch(consuming: Consuming, path: string) {
    const shard = new SimulatedShard(consuming.origin.watchList);
    const object = shard.watch(1, path);
    shard.ask(1, object);
    shard.step();
    return { shard, object };
  }

  test("[R5] [U7] waits until the topics were listed, and then is answered, though there is no such topic", async () => {
    source.listFailures = 3;
    const consuming = start();
    const { shard, object } = watch(consuming, "/orders.new/a");
    expect([object.waits, object.position]).toEqual([1, undefined]);
    consuming.origin.watchList.get(shard, 1, "/orders.new/a");

    await eventually(() => consuming.origin.partitions.ready, "the topics are listed");
    shard.step();
    consuming.origin.watchList.get(shard, 2, "/orders.new/a");

    expect(object.position).toEqual(new Map());
    expect(shard.answers.map(({ says }) => says)).toMatchObject([
      { kind: "error", error: { code: "unavailable" } },
      { kind: "latest", count: 0 },
    ]);
  });

  test("[P5] sees all of it from its first record, when it comes", async () => {
    const consuming = start();
    await consuming.listed();
    const { shard, object } = watch(consuming, "/orders.new/a");

    topic("orders.new", 3);
    await consuming.origin.recorded.until("topic_found");
    await consuming.read("orders.new");
    shard.step();

    expect(object.received.map(({ offset }) => offset)).toEqual([0, 1, 2]);
    expect(object.causes).toEqual([]);
  });

  test("[R4] is told where the log dropped some of it before it was found", async () => {
    const consuming = start();
    await consuming.listed();
    const { shard, object } = watch(consuming, "/orders.new/a");
    expect(object.position).toEqual(new Map());

    topic("orders.new", 3);
    source.logs.get("orders.new")?.drop(0, 2);
    await consuming.origin.recorded.until("topic_found");
    await consuming.read("orders.new");
    shard.step();

    expect(object.causes).toEqual(["horizon"]);
    expect(object.received.map(({ offset }) => offset)).toEqual([2]);
  });

  test("[H4] and what matches no pattern is not exposed", () => {
    const consuming = start();

    watch(consuming, "/invoices/a");

    expect(consuming.origin.refused).toEqual(["/invoices/a"]);
  });
});
