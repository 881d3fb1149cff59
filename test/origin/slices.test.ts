/** Origins that read only some of the partitions. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Start } from "../../shared/config/streams.ts";
import { partitionOf } from "../../shared/core/partitioner.ts";
import { NOTHING, parsePosition } from "../../shared/protocol/position.ts";
import type { Slice } from "../../shared/protocol/slice.ts";
import { Consuming } from "../support/consuming.ts";
import { IndexFixture } from "../support/index-records.ts";
import { MemoryHistory } from "../support/memory-history.ts";
import { RecordingShard } from "../support/recording-shard.ts";
import { ScriptedSource } from "../support/scripted-source.ts";
import { STREAM } from "../support/small-origin.ts";

const SECOND: Slice = { number: 2, count: 2 };
const at = (text: string) => parsePosition(text) ?? NOTHING;

/** A key that the default partitioner gives to this one of four partitions. */
function keyAt(partition: number): string {
  for (let i = 0; ; i++) if (partitionOf(Buffer.from(`k${i}`), 4) === partition) return `k${i}`;
}

let source: ScriptedSource;
let running: Consuming[];

beforeEach(() => {
  source = new ScriptedSource();
  source.topic("t", 4);
  running = [];
});

afterEach(async () => {
  for (const one of running) await one.stop();
});

async function start(
  slice: Slice,
  { history, start = "earliest" }: { history?: MemoryHistory; start?: Start } = {},
) {
  const consuming = new Consuming([{ ...STREAM, start }], { source, slice, ...(history && { history }) });
  running.push(consuming);
  await consuming.read("t");
  return consuming;
}

function write(partition: number, key: string): void {
  source.logs.get("t")?.write(partition, Buffer.from(key), Buffer.from("1"));
  source.changed();
}

describe("an origin of a slice", () => {
  test("[N1] reads its own partitions alone, and is ready when it has read these", async () => {
    write(1, "a");
    source.stuck.add("t/0");
    const { origin } = await start(SECOND);

    expect(source.reads).toEqual(["t/1@0", "t/3@0"]);
    expect(origin.partitions.ready).toBe(true);
    expect(origin.partitions.count("t")).toBe(4);
    expect(origin.recorded.of("topic_found")).toEqual([
      { topic: "t", partitions: 2, of: 4, from: "earliest", records: 1 },
    ]);
  });

  test("[N1] one whose slice has no partition of a topic is ready, and the topic is there", async () => {
    const { origin } = await start({ number: 5, count: 5 });

    expect(origin.partitions.ready).toBe(true);
    expect(origin.partitions.count("t")).toBe(4);
    const answer = new RecordingShard(origin.watchList).answerTo("/t/a");
    expect(answer?.attached).toMatchObject({ notHome: true, count: 0 });
  });

  test("[N3] what a position says of other slices' partitions is not judged, and not in the answer", async () => {
    write(1, "a");
    write(1, "a");
    const { origin } = await start(SECOND);
    const shard = new RecordingShard(origin.watchList);

    const answer = shard.answerTo("/t/a", at("i0.0:7,i0.1:0,i9.2:1"));

    expect(answer?.offsets).toEqual([1]);
    expect(answer?.attached).toMatchObject({
      verdict: { position: at("i0.1:0"), head: at("i0.1:1"), recovered: true },
      to: at("i0.1:1"),
    });
    expect(shard.answerTo("/t/a", at("i0.0:7,i9.1:0"))?.attached.verdict.cause).toBe("epoch");
  });

  test("[N4] says so where a key is neither known to it nor at home in its slice", async () => {
    const [here, there] = [keyAt(3), keyAt(2)];
    const { origin } = await start(SECOND);
    const shard = new RecordingShard(origin.watchList);
    const isNotHome = (key: string, from?: string) =>
      shard.answerTo(`/t/${key}`, from === undefined ? undefined : at(from))?.attached.notHome ?? false;

    expect(isNotHome(here)).toBe(false);
    expect(isNotHome(there)).toBe(true);
    expect(isNotHome(there, "i0.0:7")).toBe(true);
    expect(isNotHome(there, "i9.1:7"), "it has something to say of that").toBe(false);

    shard.attach(1, `/t/${there}`, 1);
    shard.work();
    shard.taken();
    write(1, there);
    await running[0]?.read("t");
    expect(shard.taken(), "it is live").toEqual([expect.stringContaining('"p":"i0.1:0"')]);
    expect(isNotHome(there)).toBe(false);
  });

  test("[N4] [N8] the answer to a question says so too, and waits for no partition that isn't its own", async () => {
    const { origin } = await start(SECOND);
    const shard = new RecordingShard(origin.watchList);

    origin.watchList.get(shard, 1, `/t/${keyAt(3)}`);
    origin.watchList.get(shard, 2, `/t/${keyAt(0)}`);

    expect(shard.taken()).toEqual([
      `?1 {"latest":"/t/${keyAt(3)}","position":"-","count":0,"oldest":"-"}`,
      `?2 {"latest":"/t/${keyAt(0)}","position":"-","count":0,"oldest":"-","notHome":true}`,
    ]);
  });

  test("[N4] a key's home moves when partitions are added, to other slices too", async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const consuming = await start(SECOND);
    source.logs.get("t")?.grow();
    source.changed();
    const { partitions, watchList } = consuming.origin;
    await expect.poll(() => partitions.count("t")).toBe(5);
    const shard = new RecordingShard(watchList);

    for (const key of keys) {
      const home = partitionOf(Buffer.from(key), 5);
      expect(shard.answerTo(`/t/${key}`)?.attached.notHome ?? false, key).toBe(home % 2 === 0);
    }
  });
});

describe("an index whose origin's slice changes", () => {
  test("[N1] drops what is no longer read, goes on where it was, and begins the rest by the stream's start", async () => {
    const history = new MemoryHistory();
    for (const partition of [0, 1, 2, 3]) write(partition, "a");
    const first = await start(SECOND, { history });
    await first.stop();
    running = [];
    source.reads.length = 0;
    for (const partition of [0, 1, 2, 3]) write(partition, "a");
    history.isResharded = true;

    await start({ number: 1, count: 3 }, { history, start: "latest" });

    expect(source.reads.toSorted()).toEqual(["t/0@2", "t/3@1"]);
    const views = history.views("t", Buffer.from("a"));
    expect(views.map(({ epoch, tail }) => [epoch, tail])).toEqual([
      ["i0.3", 1],
      ["i0.0", undefined],
    ]);
  });

  test("[N1] notices that by itself, once", () => {
    const fixture = new IndexFixture();
    try {
      expect(fixture.index.isResharded).toBe(false);
      fixture.reopen("2/4");
      expect(fixture.index.isResharded).toBe(true);
      fixture.reopen("2/4");
      expect(fixture.index.isResharded).toBe(false);
      fixture.reopen();
      expect(fixture.index.isResharded).toBe(true);
    } finally {
      fixture.remove();
    }
  });
});
