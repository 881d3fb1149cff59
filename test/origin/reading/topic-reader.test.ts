/** Looks at a topic that are asked for, since a partition may just have been added. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Consumer } from "../../../origin/reading/consumer.ts";
import { Streams } from "../../../shared/config/streams.ts";
import { eventually } from "../../support/deadline.ts";
import type { LogModel } from "../../support/log-model.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";
import { NOW, SmallOrigin, STREAM } from "../../support/small-origin.ts";

/** Usually the topic is looked at once an hour. */
const TIMING = { retry: { baseMs: 4, maxMs: 16 }, absentMs: 5, describeMs: 3_600_000, forgetMs: 60 };

let source: ScriptedSource;
let log: LogModel;
let origin: SmallOrigin;
let consumer: Consumer;
let shard: RecordingShard;
let fatal: unknown[];

beforeEach(async () => {
  source = new ScriptedSource();
  log = source.topic("t", 3);
  origin = new SmallOrigin();
  shard = new RecordingShard(origin.watchList);
  fatal = [];
  consumer = new Consumer({
    source,
    streams: new Streams([STREAM]),
    forwarder: origin.forwarder,
    partitions: origin.partitions,
    log: origin.recorded.log,
    random: () => 1,
    now: () => NOW,
    fatal: (error) => fatal.push(error),
    timing: TIMING,
  });
  origin.onLook = (topic) => consumer.look(topic);
  consumer.start();
  await eventually(() => origin.partitions.ready, "every partition is read to its end");
});

afterEach(async () => {
  await consumer.stop();
  expect(fatal).toEqual([]);
});

describe("a look at a topic that somebody asks for", () => {
  test("[R5] [R4] comes at once, and tells all who ask that the topic has no such partition", async () => {
    const [first] = log.describe();
    const epoch = first?.epoch.replace(/\.0$/, ".9") ?? "";
    for (const id of [1, 2, 3]) shard.attach(1, "/t/a", id, new Map([[epoch, id]]));

    await eventually(() => {
      shard.work();
      return shard.messages.join("").match(/"cause":"epoch"/g)?.length === 3;
    }, "three verdicts");

    expect(source.described).toBe(2);
  });

  test("[R5] finds a partition that was added, and what it holds is waited for", async () => {
    log.grow();
    log.write(3, Buffer.from("a"), Buffer.from("1"));
    source.changed();
    const added = log.describe()[3]?.epoch ?? "";
    shard.attach(1, "/t/a", 1, new Map([[added, 0]]));

    await eventually(() => {
      shard.work();
      return shard.messages.join("").includes('"attached"');
    }, "a verdict");

    expect(shard.messages.join("")).toContain('"recovered":true');
  });

  test("[R5] comes no more often than each second, however often it is asked for, and again after it has failed", async () => {
    const began = performance.now();
    source.describeFailures = 2;

    for (let looks = 1; looks <= 3; ) {
      const before = source.described;
      consumer.look("t");
      await eventually(() => {
        consumer.look("t");
        return source.described > before;
      }, "a look");
      looks += source.described - before;
    }

    expect(source.described).toBeLessThanOrEqual(5 + (performance.now() - began) / 1_000);
  });
});
