/** Where reading a topic begins: `start` in streams.json. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Start, Stream } from "../../../shared/config/streams.ts";
import { Consuming, type ConsumingOptions } from "../../support/consuming.ts";
import type { LogModel } from "../../support/log-model.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";
import { NOW, STREAM } from "../../support/small-origin.ts";
import { SimulatedShard } from "../../support/watching.ts";

const HOUR = 3_600_000;
const KEY = Buffer.from("a");

let source: ScriptedSource;
let log: LogModel;
let running: Consuming[];

beforeEach(() => {
  source = new ScriptedSource();
  log = source.topic("t", 3);
  running = [];
});
afterEach(async () => {
  for (const one of running) await one.stop();
});

/** Writes a record, `hours` before now. */
function write(partition: number, hours: number, key = KEY): void {
  log.time = NOW - hours * HOUR;
  log.write(partition, key, Buffer.from("1"));
  source.changed();
}

function start(begin: Start, options: ConsumingOptions = {}): Consuming {
  const stream: Stream = { ...STREAM, start: begin };
  const consuming = new Consuming([stream], { source, ...options });
  running.push(consuming);
  return consuming;
}

describe("a time back", () => {
  test("is the first record that is no older, of each partition by itself; its end where all are older", async () => {
    for (const hours of [30, 25, 23, 1]) write(0, hours);
    for (const hours of [30, 25]) write(1, hours);
    const consuming = start("24h");

    await consuming.read("t");

    expect(source.timesAsked).toEqual([0, 1, 2].map((partition) => `t/${partition}@${NOW - 24 * HOUR}`));
    expect(source.reads).toEqual(["t/0@2", "t/1@2", "t/2@0"]);
    expect(consuming.origin.recorded.of("topic_found")).toEqual([
      { topic: "t", partitions: 3, from: "24h", records: 2 },
    ]);
  });

  test("does not reach back before what the log still holds", async () => {
    for (const hours of [3, 2, 1]) write(0, hours);
    log.drop(0, 2);
    const consuming = start("24h");

    await consuming.read("t");

    expect(source.reads[0]).toBe("t/0@2");
  });

  test("of more than all time is the beginning of all time", async () => {
    write(0, 400_000);
    const consuming = start("999999d");

    await consuming.read("t");

    expect([source.timesAsked[0], source.reads[0]]).toEqual(["t/0@0", "t/0@0"]);
  });

  test("counts for nothing after a restart: reading goes on where the index ends, and no time is asked for", async () => {
    for (const hours of [30, 1]) write(0, hours);
    const first = start("24h");
    await first.read("t");
    await first.stop();
    write(0, 26);
    source.timesAsked.length = 0;
    source.reads.length = 0;

    const second = start("24h", { history: first.origin.history });
    await second.read("t");

    expect([source.reads[0], source.timesAsked]).toEqual(["t/0@2", []]);
    expect(second.origin.recorded.of("topic_found")).toMatchObject([{ from: "index", records: 1 }]);
  });
});

describe.each(["latest", "24h"] as const)("with the start %s", (begin) => {
  test("a topic that did not exist at the first look is read from its beginning", async () => {
    source.logs.clear();
    const consuming = start(begin);
    await consuming.origin.recorded.until("topic_absent");

    log = source.topic("t", 3);
    write(1, 48);
    await consuming.read("t");

    expect(source.reads).toEqual(["t/0@0", "t/1@0", "t/2@0"]);
  });

  test("a partition that was added while the origin was down is read from its beginning", async () => {
    write(0, 48);
    const first = start(begin);
    await first.read("t");
    await first.stop();
    log.grow();
    write(3, 48);
    source.reads.length = 0;

    const second = start(begin, { history: first.origin.history });
    await second.read("t");

    expect(source.reads).toEqual(["t/0@1", "t/1@0", "t/2@0", "t/3@0"]);
  });

  test("where the log dropped what comes next while the origin was down, reading goes on with the oldest, loudly", async () => {
    for (let i = 0; i < 3; i++) write(0, 48);
    const first = start(begin);
    await first.read("t");
    await first.stop();
    for (let i = 0; i < 5; i++) write(0, 47);
    log.drop(0, 5);
    source.reads.length = 0;

    const second = start(begin, { history: first.origin.history });
    await second.read("t");

    expect(source.reads[0]).toBe("t/0@5");
    expect(second.origin.recorded.of("partition_hole")).toEqual([
      { topic: "t", partition: 0, why: "hole", next: 5 },
    ]);
  });
});

describe("two origins that began at different offsets", () => {
  /** An object that resumes at the second origin from where the first brought it. */
  async function handOver(later: Start, written: () => void) {
    write(0, 30);
    const first = start("earliest");
    await first.read("t");
    const before = new SimulatedShard(first.origin.watchList);
    const object = before.watch(1, "/t/a");
    before.ask(1, object);
    before.step();
    await first.stop();

    written();
    const second = start(later);
    await second.read("t");
    const after = new SimulatedShard(second.origin.watchList);
    after.objects.set(1, new Map([["/t/a", object]]));
    object.cutOff();
    after.ask(1, object);
    after.step();
    return { object, second, after };
  }

  test("[R3] [R4] one that has not read what a receiver lacks declares it lost, and never goes on as if it had", async () => {
    const { object, second, after } = await handOver("latest", () => {
      write(0, 2);
      write(0, 1);
    });
    expect([object.causes, object.received]).toEqual([["horizon"], []]);

    write(0, 0);
    await second.read("t");
    after.step();

    expect(object.received).toMatchObject([{ offset: 3, previous: undefined }]);
    expect(object.causes).toEqual(["horizon"]);
  });

  test("[R3] one that has read all that a receiver lacks goes on, though it began later", async () => {
    const { object, second } = await handOver("24h", () => {
      write(0, 2);
      write(0, 1);
    });

    expect(source.reads.filter((read) => read.startsWith("t/0"))).toEqual(["t/0@0", "t/0@1"]);
    expect(object.received.map(({ offset }) => offset)).toEqual([0, 1, 2]);
    expect(object.causes).toEqual([]);
    expect(second.origin.history.views("t", KEY)[0]?.horizon).toBe(1);
  });
});
