import { beforeEach, expect, test } from "vitest";
import { HeldBack } from "../../../origin/operate/held-back.ts";
import { Partitions } from "../../../origin/reading/partitions.ts";
import { RecordedLog } from "../../support/recorded-log.ts";

let now: number;
let partitions: Partitions;
let recorded: RecordedLog;
let heldBack: HeldBack;

beforeEach(() => {
  now = 0;
  partitions = new Partitions(["t"], true, () => now);
  recorded = new RecordedLog();
  heldBack = new HeldBack(recorded.log);
  begin(20);
});

function begin(count: number): void {
  partitions.describe(
    "t",
    Array.from({ length: count }, (_, partition) => ({
      partition,
      epoch: `e.${partition}`,
      next: 0,
      end: 0,
    })),
  );
}

function answered(partition: number, end: number, records: number): void {
  const batch = { records: [], nextOffset: end, endOffset: end };
  partitions.advance("t", `e.${partition}`, records === 0 ? batch : { ...batch, heldBack: records });
}

/** Seconds pass, and partitions are looked at after each. */
function pass(seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    now += 1_000;
    heldBack.look(partitions.all(), now);
  }
}

test("what a transaction holds back is told of after 5 s, then each time it has been twice as long, and when it is over", () => {
  answered(0, 7, 1);
  pass(4);
  expect(recorded.events).toEqual([]);
  answered(0, 7, 101);
  pass(60);
  answered(0, 108, 0);
  pass(10);

  const told = { topic: "t", partition: 0, from: 7, records: 101 };
  expect(recorded.events).toEqual([
    ...[5, 10, 20, 40].map((seconds) => ({ event: "records_held_back", fields: { ...told, seconds } })),
    { event: "records_let_go", fields: { topic: "t", partition: 0 } },
  ]);
});

test("transactions that follow one another hold nothing back for long, though one is always open", () => {
  for (let end = 0; end < 30; end++) {
    answered(0, end, 5);
    pass(1);
  }

  expect(recorded.events).toEqual([]);
});

test("one that hangs is told of though others before it were short, and again the next one that does", () => {
  answered(0, 1, 5);
  pass(3);
  answered(0, 4, 5);
  pass(5);
  answered(0, 9, 5);
  pass(4);
  expect(recorded.of("records_held_back")).toMatchObject([{ from: 4, seconds: 5 }]);
  expect(recorded.of("records_let_go")).toHaveLength(1);
  pass(1);

  expect(recorded.of("records_held_back")).toMatchObject([{ from: 4 }, { from: 9, seconds: 5 }]);
});

test("of many partitions at once those that wait longest are named, and the others counted", () => {
  for (let partition = 0; partition < 20; partition++) {
    answered(19 - partition, 1, 3);
    now += 10;
  }
  pass(7);

  const told = recorded.of("records_held_back");
  expect(told.slice(0, 8).map(({ partition }) => partition)).toEqual([19, 18, 17, 16, 15, 14, 13, 12]);
  expect(told.slice(8)).toEqual([{ morePartitions: 12 }]);
});

test("of a partition that has gone, or stopped for good, nothing more is told", () => {
  for (const partition of [0, 1]) answered(partition, 1, 3);
  pass(5);
  partitions.stop("t", "e.0", "corrupt: scripted");
  begin(1);
  pass(60);

  expect(recorded.of("records_held_back")).toHaveLength(2);
  expect(recorded.of("records_let_go")).toEqual([]);
});
