import { beforeEach, describe, expect, test } from "vitest";
import { TIME_LIMITS } from "../../../origin/time-limits.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { formatPosition, NOTHING, parsePosition } from "../../../shared/protocol/position.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { NOW, record, SmallOrigin, STREAM } from "../../support/small-origin.ts";

const A = "/t/a";
const at = (text: string) => parsePosition(text) ?? NOTHING;

let origin: SmallOrigin;
let shard: RecordingShard;

beforeEach(() => {
  origin = new SmallOrigin();
  shard = new RecordingShard(origin.watchList);
});

/** Two partitions, `x` and `y`, that are read to their ends; keys and offsets of `x`. */
function fill(...records: readonly [offset: number, key: string][]): void {
  origin.describe({ epoch: "x" }, { epoch: "y" });
  origin.read(0, "x", ...records.map(([offset, key]) => record(offset, key, String(offset))));
  origin.read(1, "y");
}

/** The answer in short. */
function answer(from?: string, meanwhile?: () => void) {
  const answered = shard.answerTo(A, from === undefined ? undefined : at(from), meanwhile);
  if (answered === undefined) return "waiting";
  const { attached, offsets } = answered;
  const { position, head, recovered, cause } = attached.verdict;
  expect(attached.count).toBe(offsets.length);
  return {
    position: formatPosition(position),
    head: formatPosition(head),
    to: formatPosition(attached.to),
    horizon: formatPosition(attached.horizon),
    ...(recovered === undefined ? {} : { recovered }),
    ...(cause === undefined ? {} : { cause }),
    offsets,
  };
}

/** Patience ends, and the topic is looked at. */
const looked =
  (...see: Parameters<SmallOrigin["look"]>) =>
  () => {
    origin.pass(TIME_LIMITS.askAheadMs);
    shard.work();
    origin.look(...see);
  };

describe("an attach that asks for nothing", () => {
  test("[U5] [S3] is answered with the window, and where it begins", () => {
    fill([0, "a"], [1, "b"], [2, "a"], [5, "a"], [7, "b"], [9, "a"]);

    expect(answer()).toEqual({ position: "x:0", head: "x:9", to: "x:9", horizon: "x:0", offsets: [2, 5, 9] });
  });

  test("[U5] from the beginning, where all of it is in the window", () => {
    fill([3, "a"], [4, "a"]);

    expect(answer()).toEqual({ position: "-", head: "x:4", to: "x:4", horizon: "x:0", offsets: [3, 4] });
  });

  test("[U5] of a key without records it says how far its home was read", () => {
    fill([3, "b"]);

    expect(answer()).toEqual({ position: "x:3", head: "x:3", to: "x:3", horizon: "x:0", offsets: [] });
  });

  test("[U5] of a key whose records were dropped it claims nothing of what lies before", () => {
    fill([0, "a"], [1, "a"], [4, "b"]);
    origin.history.drop("t", 0, 4, false);

    expect(answer()).toEqual({ position: "x:4", head: "x:4", to: "x:4", horizon: "x:4", offsets: [] });
  });

  test("[U5] the latest is there however old it is, older ones only as long as the window says", () => {
    origin.describe({ epoch: "x" });
    const old = NOW - STREAM.windowMs - 1;
    origin.read(
      0,
      "x",
      ...[0, 1].map((offset) => ({ ...record(offset, "a", "1"), timestamp: old })),
      ...[2, 3].map((offset) => ({ ...record(offset, "b", "1"), timestamp: old })),
      record(4, "b", "1"),
    );

    expect(answer()).toMatchObject({ position: "x:0", offsets: [1] });
    expect(shard.answerTo("/t/b")?.offsets).toEqual([4]);
  });

  test("[U5] where nothing is known before the horizon it begins just before the horizon", () => {
    fill([0, "a"], [6, "b"], [7, "a"], [9, "a"]);
    origin.history.drop("t", 0, 5, false);
    origin.read(0, "x", record(12, "c", "1"));

    expect(answer()).toMatchObject({ position: "x:0", horizon: "x:5", offsets: [7, 9] });
    origin.history.drop("t", 0, 8, false);
    origin.history.drop("t", 0, 12, true);
    expect(shard.answerTo("/t/c")?.attached.verdict.position).toEqual(at("x:11"));
  });

  test("[U5] the latest record of a key, kept from before the horizon, can be taken from where it begins", () => {
    fill([2, "a"], [8, "b"]);
    origin.history.drop("t", 0, 8, true);

    expect(answer()).toEqual({ position: "x:1", head: "x:2", to: "x:2", horizon: "x:8", offsets: [2] });
  });

  test("[P6] a key in two partitions has a component for each", () => {
    fill([0, "a"], [4, "a"]);
    origin.read(1, "y", record(3, "a", "1"));

    expect(answer()).toEqual({
      position: "-",
      head: "x:4,y:3",
      to: "x:4,y:3",
      horizon: "x:0,y:0",
      offsets: [0, 4, 3],
    });
    origin.read(1, "y", record(5, "a", "1"), record(6, "a", "1"), record(7, "a", "1"));
    expect(answer()).toMatchObject({ position: "x:4,y:3", head: "x:4,y:7", offsets: [5, 6, 7] });
  });

  test("[U5] an answer holds no more than its bounds, and then the newest", () => {
    origin.describe({ epoch: "x" });
    const large = "y".repeat(LIMITS.answerBytes / 2);
    origin.read(0, "x", ...[0, 1, 2].map((offset) => record(offset, "a", large)));

    expect(answer()).toMatchObject({ position: "x:1", to: "x:2", offsets: [2] });
  });
});

describe("an attach from a position", () => {
  test("[R3] [U5] is recovered where everything after it is held, and leads from there", () => {
    fill([0, "a"], [1, "b"], [2, "a"], [5, "a"]);

    const expected = {
      position: "x:0",
      head: "x:5",
      to: "x:5",
      horizon: "x:0",
      recovered: true,
      offsets: [2, 5],
    };
    expect(answer("x:0")).toEqual(expected);
    expect(answer("x:1")).toMatchObject({ position: "x:1", recovered: true, offsets: [2, 5] });
    expect(answer("-")).toMatchObject({ position: "-", recovered: true, offsets: [0, 2, 5] });
    expect(answer("x:5")).toMatchObject({ position: "x:5", to: "x:5", recovered: true, offsets: [] });
  });

  test.each([
    ["x:3", { recovered: false, cause: "horizon" }],
    ["x:4", { recovered: true, offsets: [6, 9] }],
    ["x:5", { recovered: true, offsets: [6, 9] }],
    ["-", { recovered: false, cause: "horizon" }],
  ])("[R3] [R4] with a horizon at 5, %s: %o", (from, expected) => {
    fill([2, "a"], [6, "a"], [9, "a"]);
    origin.history.drop("t", 0, 5, false);

    expect(answer(from)).toMatchObject({ horizon: "x:5", ...expected });
  });

  test("[R3] in each epoch in which the key is known", () => {
    fill([2, "a"], [6, "a"]);
    origin.read(1, "y", record(3, "a", "1"), record(4, "b", "1"), record(8, "a", "1"));
    origin.history.drop("t", 1, 4, false);

    expect(answer("x:2")).toMatchObject({ recovered: false, cause: "horizon", horizon: "x:0,y:4" });
    expect(answer("x:2,y:3")).toMatchObject({ recovered: true, offsets: [6, 8], to: "x:6,y:8" });
  });

  test("[R3] at the last record of a key nothing is missing, however far the horizon has moved since", () => {
    fill([2, "a"], [9, "b"]);
    origin.history.drop("t", 0, 9, true);

    expect(answer("x:2")).toMatchObject({ position: "x:2", recovered: true, offsets: [] });
    expect(answer("x:1")).toMatchObject({
      position: "x:1",
      recovered: false,
      cause: "horizon",
      offsets: [2],
    });
  });

  test("[R3] what a key had where it is no longer known can't be proved; all that was read is declared lost", () => {
    fill([2, "a"], [9, "b"]);
    origin.history.drop("t", 0, 9, false);

    expect(answer("x:2")).toEqual({
      ...{ position: "x:9", head: "x:9", to: "x:9", horizon: "x:9" },
      ...{ recovered: false, cause: "horizon", offsets: [] },
    });
  });

  test("[R6] records of a key that were dropped where nobody knows of them leave no trace", () => {
    fill([2, "a"]);
    origin.read(1, "y", record(3, "a", "1"), record(4, "b", "1"));
    origin.history.drop("t", 1, 4, false);

    expect(answer("x:2")).toMatchObject({ recovered: true, offsets: [] });
    expect(answer("x:2,y:2")).toMatchObject({ recovered: false, cause: "horizon" });
  });

  test("[R3] a key that is known nowhere may have had records at home that were forgotten", () => {
    fill([2, "a"], [6, "b"]);
    origin.history.drop("t", 0, 3, false);

    expect(answer("-")).toMatchObject({ recovered: false, cause: "horizon", position: "x:6" });
    expect(answer("y:0", () => origin.read(1, "y", record(0, "c", "1")))).toMatchObject({
      recovered: false,
      cause: "horizon",
      position: "x:6,y:0",
    });
    expect(answer("x:2")).toMatchObject({ position: "x:2", recovered: true, offsets: [] });
  });

  test("[R4] an epoch that is none of the topic's", () => {
    fill([2, "a"], [6, "a"]);

    expect(answer("z:3")).toMatchObject({ recovered: false, cause: "epoch", position: "-", offsets: [2, 6] });
    expect(answer("x:2,z:3")).toMatchObject({ recovered: false, cause: "epoch", horizon: "x:0" });
  });

  test("[R4] a position beyond what a fully read partition holds is ahead; its end is not", () => {
    fill([2, "a"], [6, "a"]);

    const ahead = answer("x:7", looked());
    expect(ahead).toMatchObject({ recovered: false, cause: "ahead", to: "x:6", offsets: [2, 6] });
    expect(answer("x:6")).toMatchObject({ recovered: true });
  });

  test("[U5] an answer holds no more than its bounds, and says where to ask again", () => {
    origin.describe({ epoch: "x" });
    // Frames are larger than what they hold: each of these characters takes six.
    const value = "\u0001".repeat(LIMITS.answerBytes / 20);
    origin.read(0, "x", ...[0, 1, 2, 3, 4, 5, 6].map((offset) => record(offset, "a", value)));

    expect(answer("-")).toMatchObject({ recovered: true, to: "x:2", head: "x:6", offsets: [0, 1, 2] });
    expect(answer("x:2")).toMatchObject({ to: "x:5", offsets: [3, 4, 5] });
    expect(answer("x:5")).toMatchObject({ to: "x:6", offsets: [6] });
  });

  test("[U5] at least one update whatever its size, and 1,000 at most", () => {
    origin.describe({ epoch: "x" });
    origin.read(0, "x", record(0, "a", "y".repeat(2 * LIMITS.answerBytes)));
    origin.read(0, "x", ...Array.from({ length: 1_500 }, (_, i) => record(i + 1, "a", "1")));

    expect(answer("-")).toMatchObject({ to: "x:0", offsets: [0] });
    expect(answer("x:0")).toMatchObject({ to: "x:1000", head: "x:1500" });
  });
});

describe("a key's home", () => {
  /** Whether the answer says that it doesn't speak of it. */
  const withoutHome = (from?: string) =>
    shard.answerTo(A, from === undefined ? undefined : at(from))?.attached.withoutHome === true;

  test("[U5] is spoken of where the key is known there, or nowhere: in ordinary use always", () => {
    fill([0, "b"]);
    expect([withoutHome(), withoutHome("-"), withoutHome("x:0")]).toEqual([false, false, false]);

    origin.read(0, "x", record(1, "a", "1"));
    expect([withoutHome(), withoutHome("-"), withoutHome("x:1")]).toEqual([false, false, false]);
  });

  test("[U5] is not where the key is known in another partition only, unless that nothing was there is proved", () => {
    fill([0, "b"]);
    origin.read(1, "y", record(0, "a", "1"));
    expect([withoutHome(), withoutHome("y:0"), withoutHome("-")]).toEqual([true, false, false]);

    origin.history.drop("t", 0, 1, false);
    expect([withoutHome(), withoutHome("y:0"), withoutHome("-"), withoutHome("x:0")]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(answer("-")).toMatchObject({ recovered: false, cause: "horizon" });
  });
});

describe("what must wait", () => {
  test("[R5] a topic that hasn't been described; one that doesn't exist has no records", () => {
    expect(answer()).toBe("waiting");
    origin.forwarder.described("t", undefined, "earliest");

    expect(answer()).toMatchObject({ position: "-", offsets: [] });
    expect(answer("-")).toMatchObject({ recovered: true, offsets: [] });
    expect(answer("x:1")).toMatchObject({ recovered: false, cause: "epoch" });
    expect(shard.answerTo(A, NOTHING)?.attached.withoutHome, "there is no home").toBeUndefined();
  });

  test("[R5] without a proof, until the partitions of the key are ready; no other partition matters", () => {
    origin.describe({ epoch: "x", end: 5 }, { epoch: "y", end: 5 });
    origin.forwarder.batch("t", 0, "x", { records: [record(0, "a", "1")], nextOffset: 1, endOffset: 5 });
    expect(answer()).toBe("waiting");
    expect(answer("z:1")).toBe("waiting");

    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 5, endOffset: 5 });

    expect(answer()).toMatchObject({ offsets: [0] });
    expect(answer("z:1")).toMatchObject({ cause: "epoch" });
  });

  test("[R5] a key that is known nowhere waits for the partition that the default partitioner gives it to", () => {
    // Of two partitions "a" goes to the first.
    origin.describe({ epoch: "x", end: 5 }, { epoch: "y", end: 5 });
    origin.forwarder.batch("t", 1, "y", { records: [], nextOffset: 5, endOffset: 5 });
    expect(answer()).toBe("waiting");

    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 5, endOffset: 5 });

    expect(answer()).toMatchObject({ offsets: [] });
  });

  test("[R5] from a position, only until it has been reached: what follows comes as it is read", () => {
    origin.describe({ epoch: "x", end: 9 }, { epoch: "y", end: 9 });
    expect(answer("x:2")).toBe("waiting");
    origin.forwarder.batch("t", 0, "x", { records: [record(2, "a", "1")], nextOffset: 3, endOffset: 9 });

    expect(answer("x:2")).toMatchObject({ recovered: true, offsets: [] });
    expect(answer("x:3")).toBe("waiting");
  });

  test("[R5] a ready partition that lags is waited for where its log is known to hold the position", () => {
    fill([0, "a"]);
    origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 1, endOffset: 9 });

    expect(answer("x:8", () => origin.pass(TIME_LIMITS.askAheadMs))).toBe("waiting");
    expect(answer("x:9", looked())).toMatchObject({ cause: "ahead" });
  });

  test("[R5] past the end that was seen of a ready partition: nobody is told so before the topic was looked at", () => {
    fill([0, "a"]);

    expect(answer("x:8", () => origin.pass(TIME_LIMITS.askAheadMs))).toBe("waiting");
    expect(origin.looks).toEqual(["t"]);
    expect(
      answer(
        "x:8",
        looked(() => origin.describe({ epoch: "x", end: 9 })),
      ),
    ).toBe("waiting");
    // A batch that was asked for before the look doesn't know of that end, and takes it back for nobody.
    const late = () => origin.forwarder.batch("t", 0, "x", { records: [], nextOffset: 2, endOffset: 2 });
    expect(answer("x:8", late)).toBe("waiting");
    const read = () => origin.read(0, "x", record(8, "a", "2"));
    expect(answer("x:8", read)).toMatchObject({ recovered: true, position: "x:8" });
  });

  test("[R5] past the end that was seen of a partition that can't be read, or asked for its end, for as long as that is so", () => {
    fill([0, "a"]);

    expect(answer("x:8", looked(undefined, ["x"]))).toBe("waiting");
    expect(answer("x:8", looked(undefined, ["y"]))).toMatchObject({ cause: "ahead" });
    origin.partitions.fail("t", "x", "nobody leads it");
    expect(answer("x:8", looked())).toBe("waiting");
    origin.read(0, "x");
    expect(answer("x:8", looked())).toMatchObject({ cause: "ahead" });
  });

  test("[R5] past the end that is known of a ready partition for 15 s: another origin may have sent what comes next", () => {
    fill([0, "a"]);

    expect(answer("x:1", () => origin.pass(TIME_LIMITS.askAheadMs - 1))).toBe("waiting");
    expect(answer("x:1", () => origin.read(0, "x", record(1, "a", "2")))).toMatchObject({
      recovered: true,
      position: "x:1",
      offsets: [],
    });
  });

  test("[R5] in a partition that isn't known of the same topic until that was looked at: it may just have been added", () => {
    origin.describe({ epoch: "tt.0" });
    origin.read(0, "tt.0", record(0, "a", "1"));
    const over = origin.forwarder.looks("t");

    expect(answer("uu.1:3")).toMatchObject({ cause: "epoch" });
    expect(origin.looks).toEqual([]);
    expect(answer("tt.1:0", () => over([]))).toBe("waiting");
    expect(origin.looks).toEqual(["t"]);
    expect(answer("tt.1:0", () => origin.look())).toMatchObject({ cause: "epoch" });
    expect(answer("tt.1:0", () => origin.pass(TIME_LIMITS.askAheadMs))).toBe("waiting");
    const found = answer("tt.0:0,tt.1:0", () => {
      origin.describe({ epoch: "tt.0" }, { epoch: "tt.1" });
      origin.read(1, "tt.1", record(0, "a", "2"));
    });

    expect(found).toMatchObject({ recovered: true, offsets: [] });
  });
});
