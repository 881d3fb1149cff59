/** [S16] [U8] Where an origin says that the history of a key begins, and what it answers to who begins there. */
import { beforeEach, expect, test } from "vitest";
import { formatPosition, parsePosition } from "../../../shared/protocol/position.ts";
import { decodeOriginSays } from "../../../shared/protocol/uplink.ts";
import { MemoryHistory } from "../../support/memory-history.ts";
import { RecordingShard } from "../../support/recording-shard.ts";
import { record, SmallOrigin, STREAM } from "../../support/small-origin.ts";

const A = "/t/a";

let origin: SmallOrigin;
let shard: RecordingShard;

/** The same index, opened by an origin that has just been started. */
function start(history = new MemoryHistory()): void {
  origin = new SmallOrigin([STREAM], history);
  shard = new RecordingShard(origin.watchList);
}

beforeEach(() => start());

type Records = readonly [offset: number, key: string][];

/** Two partitions, `x` (the home of the key) and `y`, read to their ends. */
function fill(x: Records, y: Records = [], log: { start?: number; end?: number } = {}) {
  origin.describe({ epoch: "x", ...log }, { epoch: "y" });
  origin.read(0, "x", ...x.map(([offset, key]) => record(offset, key, String(offset))));
  origin.read(1, "y", ...y.map(([offset, key]) => record(offset, key, String(offset))));
}

/** Where history begins, and the answer from there. */
function history() {
  origin.watchList.get(shard, 13, A);
  const [said = ""] = shard.taken();
  const frame = decodeOriginSays(said.slice(said.indexOf(" ") + 1));
  const oldest = frame.ok && frame.value.kind === "latest" ? frame.value.oldest : undefined;
  if (oldest === undefined) throw new Error(`it doesn't say: ${said}`);
  const text = formatPosition(oldest);
  const answer = shard.answerTo(A, parsePosition(text));
  return { oldest: text, recovered: answer?.attached.verdict.recovered, offsets: answer?.offsets };
}

test("[S16] all that there ever was, if the index is complete", () => {
  fill([
    [0, "a"],
    [1, "b"],
    [2, "a"],
  ]);

  expect(history()).toEqual({ oldest: "-", recovered: true, offsets: [0, 2] });
});

test("[S16] from the horizon on, if the index has forgotten what was before", () => {
  fill([
    [0, "a"],
    [2, "a"],
    [4, "b"],
    [5, "a"],
    [7, "a"],
  ]);
  origin.history.drop("t", 0, 3, false);

  expect(history()).toEqual({ oldest: "x:2", recovered: true, offsets: [5, 7] });
});

test("[S16] of a key of which only the latest record was kept that one, and nothing is claimed", () => {
  fill([
    [0, "a"],
    [2, "a"],
    [4, "b"],
  ]);
  origin.history.drop("t", 0, 4, true);

  expect(history()).toEqual({ oldest: "x:1", recovered: false, offsets: [2] });
});

test("[S16] [R8] from behind what compaction had removed before it was read", () => {
  origin.describe({ epoch: "x", end: 8 });
  const records = [record(1, "b", "1"), record(4, "a", "4"), record(6, "a", "6"), record(7, "a", "7")];
  origin.forwarder.batch("t", 0, "x", { records, nextOffset: 8, endOffset: 8, wholeFrom: 4 });

  expect(history()).toEqual({ oldest: "x:3", recovered: true, offsets: [4, 6, 7] });
});

test("[S16] in each of several epochs as far back as that reaches", () => {
  fill(
    [
      [0, "a"],
      [3, "a"],
      [6, "a"],
    ],
    [
      [1, "a"],
      [5, "a"],
    ],
  );
  origin.history.drop("t", 0, 2, false);

  expect(history()).toEqual({ oldest: "x:1", recovered: true, offsets: [3, 6, 1, 5] });
});

test("[S16] [R3] also of a key that is known away from home only, though its home has forgotten something", () => {
  fill(
    [
      [0, "b"],
      [4, "b"],
    ],
    [
      [1, "a"],
      [5, "a"],
    ],
  );
  origin.history.drop("t", 0, 3, false);

  expect(history()).toEqual({ oldest: "x:2", recovered: true, offsets: [1, 5] });
});

test("[S16] what is left of an epoch alone, and isn't the latest, doesn't hide the history of another one", () => {
  fill([[0, "a"]]);
  origin.read(0, "x", record(3, "b", "3"));
  origin.history.drop("t", 0, 3, true);
  origin.read(1, "y", record(1, "a", "1"), record(5, "a", "5"));

  expect(history()).toEqual({ oldest: "x:0", recovered: true, offsets: [1, 5] });
});

test.each([
  ["the key's", "a"],
  ["another's", "b"],
])(
  "[S16] [R9] after the log has deleted records while the origin was off, and the first that is left is %s",
  (_, key) => {
    fill([
      [1, "a"],
      [3, key],
      [4, "a"],
      [5, "a"],
    ]);
    const { history: index } = origin;
    start(index);
    fill([], [], { start: 3, end: 6 });

    const found = history();

    // Whoever stands just before what is left may hold what was deleted, and would have to be told.
    expect(found).toMatchObject({ oldest: "x:3", recovered: true });
    expect(found.offsets).toEqual([4, 5]);
  },
);

test("[S16] [R9] if all of it was deleted nothing is claimed", () => {
  fill([
    [1, "a"],
    [3, "a"],
  ]);
  const { history: index } = origin;
  start(index);
  fill([], [], { start: 4, end: 4 });

  expect(history()).toEqual({ oldest: "x:3", recovered: false, offsets: [] });
});

test("[S16] of a key without records from where its home is held", () => {
  fill([
    [0, "b"],
    [1, "b"],
    [2, "b"],
  ]);
  origin.history.drop("t", 0, 2, false);

  expect(history()).toEqual({ oldest: "x:1", recovered: true, offsets: [] });
});
