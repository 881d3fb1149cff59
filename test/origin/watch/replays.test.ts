import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Source } from "../../../origin/source/source.ts";
import { ANSWER_BOUNDS } from "../../../origin/watch/answer-bounds.ts";
import { Replays } from "../../../origin/watch/replays.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatPosition, parsePosition } from "../../../shared/protocol/position.ts";
import { eventually } from "../../support/deadline.ts";
import type { LogModel } from "../../support/log-model.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";
import { SmallOrigin, STREAM } from "../../support/small-origin.ts";
import { SimulatedShard, type WatchingObject } from "../../support/watching.ts";

const A = Buffer.from("a");
const B = Buffer.from("b");

let origin: SmallOrigin;
let shard: SimulatedShard;
let log: LogModel;

/** An origin of a topic with so many partitions that may read that much again. */
function begin(partitions = 1, replay = 1_000_000): void {
  origin = new SmallOrigin([{ ...STREAM, replay }]);
  shard = new SimulatedShard(origin.watchList);
  origin.source.batchRecords = 20;
  log = origin.source.topic("t", partitions);
  origin.forwarder.described("t", log.describe(), "earliest");
}

beforeEach(() => begin());

/** The origin reads all that was written. */
function read(): void {
  for (const [partition, { epoch }] of log.partitions.entries()) {
    const next = origin.partitions.find("t", epoch)?.next ?? 0;
    origin.forwarder.batch("t", partition, epoch, log.read(partition, next, Number.POSITIVE_INFINITY));
  }
  origin.source.changed();
}

function write(key: Uint8Array, count: number, partition = 0, bytes = 3): void {
  for (let i = 0; i < count; i++) log.write(partition, key, Buffer.alloc(bytes, "x"));
}

/** Someone who stands at a position, and asks until there is nothing to ask. */
function resume(path: string, from: string, link = 1): WatchingObject {
  const object = shard.watch(link, path);
  object.position = new Map(parsePosition(from));
  shard.ask(link, object);
  return object;
}

/** Until everyone has what there is. */
async function settle(): Promise<void> {
  for (let quiet = 0; quiet < 200; quiet++) {
    await new Promise(setImmediate);
    if (shard.step()) quiet = 0;
    for (const [link, objects] of shard.objects)
      for (const object of objects.values()) if (shard.ask(link, object)) quiet = 0;
  }
}

const offsets = (object: WatchingObject) => object.received.map(({ offset }) => offset);
const ofKey = (key: Uint8Array, partition = 0) =>
  (log.partitions[partition]?.records ?? []).filter((one) => one.key && !Buffer.compare(one.key, key));

describe("one who resumes from before the horizon", () => {
  test("[R7] [R8] is told of a loss where the log has removed something in between", async () => {
    for (let i = 0; i < 40; i++) write(i % 3 === 0 ? A : B, 1);
    read();
    origin.history.drop("t", 0, 25, false);
    log.compact(0, 20, true);

    const [lost, behind] = [resume("/t/a", "i0.0:3"), resume("/t/b", "i0.0:19", 2)];
    await settle();

    expect([lost.causes, behind.causes]).toEqual([["horizon"], []]);
    expect(offsets(behind)).toEqual(ofKey(B).flatMap(({ offset }) => (offset > 19 ? [offset] : [])));
  });

  test("[R7] gets every update from the log, once and in order, then those of the index, then the live ones", async () => {
    for (let i = 0; i < 40; i++) write(i % 3 === 0 ? A : B, 1);
    read();
    origin.history.drop("t", 0, 25, false);

    const object = resume("/t/a", "i0.0:3");
    await settle();
    write(A, 2);
    read();
    await settle();

    expect(object.causes).toEqual([]);
    expect(offsets(object)).toEqual([6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 40, 41]);
  });

  test("[R7] [U5] gets it page by page where it is more than one answer may hold", async () => {
    write(A, 2 * LIMITS.answerUpdates + 7);
    read();
    origin.history.drop("t", 0, 2 * LIMITS.answerUpdates + 5, false);

    const object = resume("/t/a", "i0.0:0");
    await settle();

    expect(object.causes).toEqual([]);
    expect(object.received).toHaveLength(2 * LIMITS.answerUpdates + 6);
  });

  test("[R7] is told that continuity is lost where the stream doesn't allow as much, and the log isn't read", async () => {
    begin(1, 20);
    write(A, 30);
    read();
    origin.history.drop("t", 0, 25, false);

    const denied = resume("/t/a", "i0.0:3", 1);
    await settle();
    const allowed = resume("/t/a", "i0.0:4", 2);
    await settle();

    expect(denied.causes).toEqual(["horizon"]);
    expect(allowed.causes).toEqual([]);
    expect(offsets(allowed)).toEqual(
      ofKey(A)
        .map(({ offset }) => offset)
        .slice(5),
    );
    expect(origin.source.reads).toEqual(["t/0@5"]);
  });

  test("[R4] [R7] is told so where the log no longer holds it either", async () => {
    write(A, 30);
    read();
    origin.history.drop("t", 0, 25, false);
    log.drop(0, 10);

    const object = resume("/t/a", "i0.0:3");
    await settle();

    expect(object.causes).toEqual(["horizon"]);
    expect(offsets(object).at(-1)).toBe(29);
  });

  test("[R7] in two partitions, both from the log", async () => {
    begin(2);
    write(A, 10, 0);
    write(A, 10, 1);
    read();
    for (const partition of [0, 1]) origin.history.drop("t", partition, 8, false);

    const object = resume("/t/a", "i0.0:2,i0.1:4");
    await settle();

    expect(object.causes).toEqual([]);
    expect(formatPosition(object.position ?? new Map())).toBe("i0.0:9,i0.1:9");
    expect(object.received).toHaveLength(7 + 5);
  });

  test("[R7] waits while the log can't be reached", async () => {
    write(A, 30);
    read();
    origin.history.drop("t", 0, 25, false);
    origin.source.failures.set("t/0", ["unavailable"]);

    const object = resume("/t/a", "i0.0:3");
    await eventually(async () => {
      await settle();
      return object.received.length > 0;
    }, "it is read again");

    expect(object.causes).toEqual([]);
    expect(object.waits).toBe(1);
    expect(offsets(object)).toHaveLength(26);
  });

  test("[R7] [R4] of a topic that was created again meanwhile is told that", async () => {
    write(A, 30);
    read();
    origin.history.drop("t", 0, 25, false);
    const object = resume("/t/a", "i0.0:3");
    shard.step();

    log.recreate(1);
    origin.forwarder.described("t", log.describe(), "earliest");
    write(A, 2);
    read();
    await settle();

    expect(object.causes).toEqual(["epoch"]);
    expect(offsets(object).at(-1)).toBe(1);
  });

  test("[R7] is not answered twice where it left and came back while the log was read", async () => {
    write(A, 30);
    read();
    origin.history.drop("t", 0, 25, false);
    resume("/t/a", "i0.0:3");
    shard.step();

    shard.leave(1, "/t/a");
    const object = resume("/t/a", "i0.0:3");
    await settle();

    expect(object.causes).toEqual([]);
    expect(offsets(object)).toHaveLength(26);
  });
});

test("[R7] many who come at once are served by one scan of a partition", async () => {
  const keys = Array.from({ length: 50 }, (_, i) => Buffer.from(`k${i}`));
  for (let round = 0; round < 6; round++) for (const key of keys) write(key, 1);
  read();
  origin.history.drop("t", 0, 290, false);

  const objects = keys.map((key, i) => resume(`/t/${key}`, `i0.0:${i}`, i + 1));
  await settle();

  for (const object of objects) {
    expect(object.causes).toEqual([]);
    expect(object.received).toHaveLength(5);
  }
  // Who gets a turn later comes along with a second one.
  expect(origin.source.reads.length).toBeLessThanOrEqual(4);
});

test("[R7] what a scan keeps is its own: a record of each of many pieces must not keep them all", async () => {
  const piece = new Uint8Array(1_000_000);
  const [key, value, header] = [piece.subarray(0, 1), piece.subarray(1, 3), piece.subarray(3, 5)];
  const source = new ScriptedSource();
  source.read = async (_, onBatch) => {
    const headers: [string, Uint8Array][] = [["h", header]];
    await onBatch({
      records: [{ offset: 0, timestamp: undefined, key, value, headers }],
      nextOffset: 1,
      endOffset: 1,
    });
  };
  const replays = new Replays({ source, random: () => 0, bounds: ANSWER_BOUNDS });

  const found = await replays.read("t", key, [{ partition: 0, epoch: "x", after: -1, until: 1 }]);

  const record = found?.[0]?.records[0];
  expect(record?.value).toEqual(new Uint8Array([0, 0]));
  const kept = [record?.key, record?.value as Uint8Array, record?.headers[0]?.[1]];
  expect(kept.map((bytes) => bytes?.buffer.byteLength)).toEqual([1, 2, 2]);
});

describe("[R7] a log that stands still while it is read again", () => {
  // Long enough for more than one try, however busy the machine is.
  const timing = { retry: { baseMs: 1, maxMs: 1 }, silentScanMs: 20, noProgressMs: 1_000 };
  const gap = { partition: 0, epoch: "i0.0", after: -1, until: 30 };
  const replaysOf = (source: Source) =>
    new Replays({ source, random: () => 0, bounds: { updates: 100, bytes: 1_000_000 }, timing });
  const read = (source: Source) => replaysOf(source).read("t", A, [gap]);

  test("from the first record on: proves nothing after the time that is said", async () => {
    write(A, 30);
    origin.source.stuck.add("t/0");

    expect(await read(origin.source)).toBeUndefined();
    // It was tried again until there had been no progress for long enough.
    expect(origin.source.reads.length).toBeGreaterThan(1);
  });

  test("half-way, and whatever the source does when it is told to end: the same", async () => {
    write(A, 30);
    const asked: (boolean | undefined)[] = [];
    const source = new ScriptedSource();
    source.read = async ({ from, anew }, onBatch) => {
      asked.push(anew);
      if (from === 0) await onBatch(log.read(0, 0, 10));
      await new Promise(() => {});
    };

    expect(await read(source)).toBeUndefined();
    expect(asked[0]).toBe(false);
    // What hung may be what the source uses for it.
    expect(asked.slice(1).every((anew) => anew === true)).toBe(true);
    expect(asked.length).toBeGreaterThan(1);
  });

  test("with answers that bring nothing: the same", async () => {
    write(A, 30);
    const source = new ScriptedSource();
    source.read = async ({ from, signal }, onBatch) => {
      while (!signal.aborted) {
        await onBatch({ records: [], nextOffset: from, endOffset: 30 });
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };

    expect(await read(source)).toBeUndefined();
  });

  test("once, and goes on then: nothing is missing, and nothing comes twice", async () => {
    write(A, 30);
    let reads = 0;
    const source = new ScriptedSource();
    source.read = async ({ from, signal }, onBatch) => {
      await onBatch(log.read(0, from, 10));
      if (reads++ > 0)
        for (let at = from + 10; at < 30 && !signal.aborted; at += 10) await onBatch(log.read(0, at, 10));
      else await new Promise(() => {});
    };

    const bounds = { updates: 100, bytes: 1_000_000 };
    const replays = new Replays({
      ...{ source, random: () => 0, bounds },
      timing: { ...timing, noProgressMs: 60_000 },
    });
    const found = await replays.read("t", A, [gap]);

    expect(found?.[0]?.records.map(({ offset }) => offset)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(found?.[0]?.whole).toBe(true);
  });

  test("but says that it is at work: it is waited for", async () => {
    write(A, 30);
    const source = new ScriptedSource();
    source.read = async ({ from, alive }, onBatch) => {
      for (let sign = 0; sign < 15; sign++) {
        alive?.();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await onBatch(log.read(0, from, 30));
    };
    const patient = new Replays({
      ...{ source, random: () => 0, bounds: ANSWER_BOUNDS },
      timing: { ...timing, silentScanMs: 1_000, noProgressMs: 10_000 },
    });

    expect((await patient.read("t", A, [gap]))?.[0]?.records).toHaveLength(30);
  });
});

test("[R7] the index drops more each time that the log is read: only what has been dropped is read then", async () => {
  write(A, 30);
  read();
  origin.history.drop("t", 0, 10, false);
  const object = resume("/t/a", "i0.0:3");
  shard.step();
  for (const dropped of [18, 22, 24, 25]) {
    origin.history.drop("t", 0, dropped, false);
    const reads = origin.source.reads.length;
    await eventually(() => {
      shard.step();
      return origin.source.reads.length > reads;
    }, "the log is read");
  }
  await settle();

  expect(object.causes).toEqual([]);
  expect(offsets(object)).toEqual(Array.from({ length: 26 }, (_, i) => i + 4));
  expect(origin.source.reads.map((read) => read.split("@")[1])).toEqual(["4", "10", "18", "22", "24"]);
});

test("[R7] whatever is written, dropped and asked for: all of it, once and in order", async () => {
  const step = fc.record({
    key: fc.constantFrom(A, B),
    partition: fc.integer({ min: 0, max: 1 }),
    skip: fc.integer({ min: 0, max: 2 }),
    bytes: fc.constantFrom(1, 1, 1, LIMITS.answerBytes / 3),
  });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      share,
      share,
      share,
      async (steps, at0, at1, drop) => {
        begin(2);
        for (const { key, partition, skip, bytes } of steps)
          log.write(partition, key, Buffer.alloc(bytes, "x"), skip);
        read();
        const [one, two] = log.describe();
        if (one === undefined || two === undefined) throw new Error("two partitions");
        for (const { partition, endOffset } of [one, two])
          origin.history.drop("t", partition, Math.floor(drop * endOffset), false);
        const from = new Map(
          [
            ["i0.0", Math.floor(at0 * one.endOffset) - 1],
            ["i0.1", Math.floor(at1 * two.endOffset) - 1],
          ].filter((entry): entry is [string, number] => Number(entry[1]) >= 0),
        );
        // R6: an epoch in which it had nothing is not asked for; what lies there can't be missed.
        const object = shard.watch(1, "/t/a");
        object.position = new Map(from);
        shard.ask(1, object);
        await settle();

        expect(object.causes).toEqual([]);
        for (const partition of [0, 1]) {
          const epoch = `i0.${partition}`;
          if (!from.has(epoch)) continue;
          const due = ofKey(A, partition).filter(({ offset }) => offset > (from.get(epoch) ?? -1));
          expect(object.received.filter((one) => one.epoch === epoch).map(({ offset }) => offset)).toEqual(
            due.map(({ offset }) => offset),
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

describe("[R7] [L8] what nobody waits for any more", () => {
  /** Reads that don't end by themselves: from where, and what ends them. */
  let open: { from: number; signal: AbortSignal }[];
  /** Lets the oldest one that is open bring all there is. */
  let goOn: () => void;

  beforeEach(() => {
    open = [];
    const held: (() => void)[] = [];
    goOn = () => held.shift()?.();
    origin.source.read = async ({ partition, from, signal }, onBatch) => {
      open.push({ from, signal });
      const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await Promise.race([new Promise<void>((resolve) => held.push(resolve)), aborted]);
      if (signal.aborted) return;
      await onBatch(log.read(partition, from, Number.POSITIVE_INFINITY));
      await aborted;
    };
    for (let i = 0; i < 40; i++) write(i % 2 === 0 ? A : B, 1);
    read();
    origin.history.drop("t", 0, 25, false);
  });

  test("ends its scan, once the last one that it serves has gone", async () => {
    resume("/t/a", "i0.0:3", 1);
    resume("/t/b", "i0.0:4", 2);
    await settle();
    expect(open.map(({ from }) => from)).toEqual([4]);

    shard.leave(1, "/t/a");
    expect(open[0]?.signal.aborted).toBe(false);
    shard.leave(2, "/t/b");
    await settle();

    expect(open.map(({ signal }) => signal.aborted)).toEqual([true]);
  });

  test("leaves the line in which it waits for a scan, and those who stay get theirs", async () => {
    const first = resume("/t/a", "i0.0:7", 1);
    await settle();
    resume("/t/b", "i0.0:4", 2);
    await settle();

    shard.leave(2, "/t/b");
    goOn();
    await settle();

    expect(offsets(first).slice(0, 2)).toEqual([8, 10]);
    expect(open.map(({ from }) => from)).toEqual([8]);
  });

  test("is none of an uplink that has gone", async () => {
    resume("/t/a", "i0.0:3");
    await settle();

    origin.watchList.shardLost(shard);
    await settle();

    expect(open.map(({ signal }) => signal.aborted)).toEqual([true]);
  });
});

test("[R7] of many partitions only so many are read again at once, and all of them in the end", async () => {
  const count = 30;
  begin(count);
  let running = 0;
  let most = 0;
  const { read: readLog } = origin.source;
  origin.source.read = async (request, onBatch) => {
    most = Math.max(most, ++running);
    await readLog.call(origin.source, request, onBatch).finally(() => running--);
  };
  for (let partition = 0; partition < count; partition++) write(A, 10, partition);
  read();
  for (let partition = 0; partition < count; partition++) origin.history.drop("t", partition, 8, false);

  const object = resume("/t/a", Array.from({ length: count }, (_, i) => `i0.${i}:2`).join());
  await settle();

  expect(object.causes).toEqual([]);
  expect(object.received).toHaveLength(7 * count);
  expect(most).toBe(8);
});
