import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LEDGER_ENTRIES } from "../../../origin/publish/ledger.ts";
import { Marker } from "../../../origin/publish/mark.ts";
import type { PublishResult } from "../../../origin/publish/result.ts";
import { SinkError } from "../../../origin/publish/sink.ts";
import { type Room, WAITING_COUNT } from "../../../origin/publish/waiting.ts";
import { PartitionWriter } from "../../../origin/publish/writer.ts";
import type { WriterNumber } from "../../../shared/protocol/publish.ts";
import { range } from "../../support/contract-records.ts";
import { ScriptedPartition } from "../../support/scripted-sink.ts";

const marker = new Marker([Buffer.alloc(32, 1)]);
const stranger = new Marker([Buffer.alloc(32, 2)]);
const WINDOW_MS = 600_000;
const NEVER = Number.POSITIVE_INFINITY;

let partition: ScriptedPartition;
let writer: PartitionWriter;
let news: (WriterNumber | undefined)[];
let room: Room;
/** What the wall clock shows, and one that nobody sets. */
let time: number;
let now: number;

beforeEach(() => {
  vi.useFakeTimers();
  partition = new ScriptedPartition();
  news = [];
  time = 5_000_000;
  now = 0;
  room = { left: 20_000_000 };
  writer = new PartitionWriter({
    epoch: "e.0",
    windowMs: WINDOW_MS,
    room,
    ledgerRoom: { left: Number.POSITIVE_INFINITY },
    claim: partition.claim,
    claimed: () => {},
    announce: (number) => news.push(number),
    time: () => time,
    now: () => now,
    recognises: (secret) => marker.recognises(secret),
    random: () => 0.5,
  });
});
afterEach(() => {
  writer.close();
  vi.useRealTimers();
});

const marksOf = (id: string, value = id, by = marker) =>
  by.marksOf({
    ...{ topic: "t", key: Buffer.from("k"), value: Buffer.from(value), headers: [] },
    id: { issuer: "i", subject: "s", key: id, chosenBy: "client" },
  });

/** Publishes, and returns where the answer will be. */
function publish(
  id: string,
  { value = id, deadline = NEVER, until = NEVER, bytes = 10, isPromised = true } = {},
) {
  const answered: { result?: string; message?: string } = {};
  writer.publish({
    marks: marksOf(id, value),
    record: { key: Buffer.from("k"), value: Buffer.from(value), headers: [] },
    bytes,
    isPromised,
    deadline,
    until,
    answer: (result: PublishResult) => {
      if (answered.result !== undefined) throw new Error("answered twice");
      answered.result = "position" in result ? result.position : result.error.code;
      if ("error" in result) answered.message = result.error.message;
    },
  });
  return answered;
}

/** All that is due without time. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function claimed(): Promise<void> {
  writer.takeOver();
  partition.grant();
  await settle();
}

const strange = (id: string, offset: number) => ({ ...known(id, offset), ...marksOf(id, id, stranger)[0] });

function pass(ms: number): void {
  time += ms;
  now += ms;
}

const KNOWN = { ...marksOf("known")[0], timestamp: 5_000_000 };
const known = (id: string, offset: number) => ({ ...KNOWN, ...marksOf(id)[0], offset });

test("what comes in one turn goes together, and what comes meanwhile goes with the next batch, in order", async () => {
  await claimed();
  const answers = ["a", "b"].map((id) => publish(id));
  await settle();
  const first = partition.one();
  answers.push(...["c", "d", "e"].map((id) => publish(id)));
  await settle();
  expect(partition.sent()).toEqual([]);

  first.answer({ kind: "appended", offset: 10 });
  await settle();
  const second = partition.one();
  second.answer({ kind: "appended", offset: 20 });
  await settle();

  expect([first.values, second.values]).toEqual([
    ["a", "b"],
    ["c", "d", "e"],
  ]);
  expect(answers.map(({ result }) => result)).toEqual(["e.0:10", "e.0:11", "e.0:20", "e.0:21", "e.0:22"]);
});

test("nothing is sent before the partition is claimed, and what the log holds already is answered from it", async () => {
  const [done, other, fresh] = [publish("done"), publish("other", { value: "x" }), publish("fresh")];
  await settle();
  expect(partition.sent()).toEqual([]);

  partition.grant([known("done", 3), known("other", 4)]);
  await settle();
  partition.one().answer({ kind: "appended", offset: 9 });
  await settle();

  expect([done.result, other.result, fresh.result]).toEqual(["e.0:3", "id_reused", "e.0:9"]);
});

test("a batch of unknown outcome is sent again as it is, and nothing else before it", async () => {
  await claimed();
  const first = publish("a");
  await settle();
  const batch = partition.one();
  const second = publish("b");
  for (let tries = 1; tries <= 10; tries++) {
    const sent = tries === 1 ? batch : partition.one();
    expect([sent.values, sent.tries]).toEqual([["a"], tries]);
    sent.answer({ kind: "unknown", message: "no answer" });
    await settle();
    expect(partition.sent()).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
  }

  partition.one().answer({ kind: "appended", offset: 5 });
  await settle();
  partition.one().answer({ kind: "appended", offset: 6 });
  await settle();

  expect([first.result, second.result]).toEqual(["e.0:5", "e.0:6"]);
  expect(partition.claims).toBe(1);
});

test("when a claim is of no use any more, the next one tells what was appended, and the rest is sent in order", async () => {
  await claimed();
  const answers = ["a", "b"].map((id) => publish(id));
  await settle();
  answers.push(publish("c"));
  partition.one().answer({ kind: "stale", message: "lost" });
  await settle();

  partition.grant([known("a", 7)]);
  await settle();
  const again = partition.one();
  again.answer({ kind: "appended", offset: 8 });
  await settle();

  expect([again.values, again.claim]).toEqual([["b", "c"], 2]);
  expect(answers.map(({ result }) => result)).toEqual(["e.0:7", "e.0:8", "e.0:9"]);
  expect(news).toEqual([{ id: 7, epoch: 1 }, undefined, { id: 7, epoch: 2 }]);
  expect(partition.released).toEqual([1]);
});

test("[W9] what waits for a claim until its time is over isn't written, and is told so, unless the log has it", async () => {
  const [done, late] = [publish("done", { until: time + 100 }), publish("late", { until: time + 100 })];
  const early = publish("early", { until: time + 101 });
  time += 100;
  partition.grant([known("done", 3)]);
  await settle();
  expect(partition.one().values).toEqual(["early"]);

  expect([done.result, late.result, early.result]).toEqual(["e.0:3", "unavailable", undefined]);
});

test("[W9] what is about to leave is looked at once more: one that is late keeps a batch from being sent, and of one that was sent all", async () => {
  await claimed();
  const [early, late] = [publish("early", { until: time + 100 }), publish("late", { until: time + 200 })];
  await settle();
  const first = partition.one();
  expect(first.isLate()).toBe(false);
  time += 100;
  expect(first.isLate()).toBe(true);
  first.answer({ kind: "notNow", message: "late" });
  await vi.advanceTimersByTimeAsync(50);
  const second = partition.one();
  expect([early.result, second.values]).toEqual(["unavailable", ["late"]]);

  const more = publish("more", { until: time + 300 });
  second.answer({ kind: "unknown", message: "no answer" });
  await vi.advanceTimersByTimeAsync(50);
  const again = partition.one();
  expect([again.values, again.isLate()]).toEqual([["late"], false]);
  time += 100;
  expect([again.isLate(), late.result, more.result]).toEqual([true, undefined, undefined]);
});

test("what wasn't appended, and can't be now, is tried again with what came since, and is unavailable when its time is up", async () => {
  await claimed();
  const first = publish("a", { deadline: 100 });
  await settle();
  const failed = partition.one();
  const second = publish("b");
  failed.answer({ kind: "notNow", message: "not enough replicas" });
  await settle();
  expect([writer.state, partition.sent()]).toEqual(["pausing", []]);
  await vi.advanceTimersByTimeAsync(50);
  const again = partition.one();
  expect([again.values, again.tries]).toEqual([["a", "b"], 1]);
  again.answer({ kind: "notNow", message: "not enough replicas" });
  await settle();
  writer.expire(100);
  expect(first.result).toBe("unavailable");

  await vi.advanceTimersByTimeAsync(2_000);
  const last = partition.one();
  last.answer({ kind: "appended", offset: 7 });
  await settle();
  expect([last.values, second.result]).toEqual([["b"], "e.0:7"]);
});

test("[W9] what comes when its time is over has no partition claimed for it", async () => {
  time += 100;
  const late = publish("late", { until: time });
  await settle();

  expect([late.result, writer.state, partition.claims]).toEqual(["unavailable", "idle", 0]);
});

test("[W9] the same that comes again prolongs what is under way", async () => {
  await claimed();
  publish("a", { deadline: 50, until: time + 100 });
  await settle();
  partition.one().answer({ kind: "unknown", message: "" });
  writer.expire(50);
  const again = publish("a", { until: time + 201 });
  await settle();
  time += 200;
  await vi.advanceTimersByTimeAsync(50);
  partition.one().answer({ kind: "stale", message: "" });
  await settle();
  partition.grant();
  await settle();
  partition.one().answer({ kind: "appended", offset: 4 });
  await settle();

  expect(again.result).toBe("e.0:4");
});

test("a deadline that passes: what wasn't sent is not published, what was may be", async () => {
  await claimed();
  const sent = publish("sent", { deadline: 100 });
  await settle();
  const waits = publish("waits", { deadline: 100 });
  const later = publish("later", { deadline: 101 });

  writer.expire(99);
  expect([sent.result, waits.result]).toEqual([undefined, undefined]);
  writer.expire(100);
  expect([sent.result, waits.result, later.result]).toEqual(["unknown", "unavailable", undefined]);
  partition.one().answer({ kind: "appended", offset: 1 });
  await settle();

  expect(partition.one().values).toEqual(["later"]);
});

test("the same publish again while the first waits is told so; once the first was told unknown, it is told the outcome", async () => {
  await claimed();
  const first = publish("a", { deadline: 100 });
  await settle();
  expect(publish("a").result).toBe("in_flight");
  expect(publish("a", { value: "x" }).result).toBe("id_reused");
  writer.expire(100);

  const again = publish("a");
  expect(again.result).toBeUndefined();
  expect(publish("a").result).toBe("in_flight");
  partition.one().answer({ kind: "appended", offset: 4 });
  await settle();

  expect([first.result, again.result, publish("a").result]).toEqual(["unknown", "e.0:4", "e.0:4"]);
});

test("another that fences: what may be in the log is unknown, all else is for that one, until told to take over", async () => {
  await claimed();
  const first = publish("a");
  await settle();
  const waits = publish("b");
  partition.one().answer({ kind: "fenced" });
  await settle();
  expect([first.result, waits.result, publish("c").result]).toEqual([
    "not_writer",
    "not_writer",
    "not_writer",
  ]);
  expect(news).toEqual([{ id: 7, epoch: 1 }, undefined]);

  writer.takeOver();
  partition.grant();
  await settle();
  const doubtful = publish("d");
  await settle();
  partition.one().answer({ kind: "unknown", message: "" });
  await vi.advanceTimersByTimeAsync(2_000);
  partition.one().answer({ kind: "fenced" });
  await settle();

  expect(doubtful.result).toBe("unknown");
});

test("a claim that is found lost while nothing is sent ends there and then", async () => {
  await claimed();
  partition.lose();
  await settle();

  expect(writer.state).toBe("resigned");
  expect(publish("a").result).toBe("not_writer");
});

test("what was sent, and may be in the log, is unknown also when the partition is found lost before it is sent again", async () => {
  await claimed();
  const sent = publish("sent");
  await settle();
  partition.one().answer({ kind: "unknown", message: "no answer" });
  await settle();
  const waits = publish("waits");
  partition.lose();
  await settle();

  expect([sent.result, waits.result, writer.state]).toEqual(["unknown", "not_writer", "resigned"]);
});

test.each([
  [new SinkError("unavailable", "no broker"), "unavailable", "barred"],
  [new SinkError("forbidden", "no right"), "forbidden", "barred"],
  [new SinkError("changed", "gone"), "unknown_topic", "barred"],
  [new SinkError("fenced", "lost"), "not_writer", "resigned"],
  [new Error("bug"), "unavailable", "barred"],
])("a claim that fails with %s answers what waits with %s", async (error, code, state) => {
  const waits = publish("a");
  partition.refuse(error);
  await settle();

  expect([waits.result, publish("b").result, writer.state]).toEqual([code, code, state]);
});

test("a partition that can't be claimed is tried again when something is published, ever less often, up to 30 s", async () => {
  for (const failures of range(0, 12)) {
    publish(`${failures}`);
    expect(partition.claims).toBe(failures + 1);
    partition.refuse(new SinkError("unavailable", "no broker"));
    await settle();
    await vi.advanceTimersByTimeAsync(Math.min(15_000, 500 * 2 ** failures));
    expect(writer.state).toBe("idle");
  }
});

test("a refused batch is told apart: one that is too large is refused by itself, in its order", async () => {
  await claimed();
  const answers = ["a", "b", "c"].map((id) => publish(id));
  await settle();
  const outcomes = [
    { kind: "refused", why: "tooLarge", message: "" },
    { kind: "appended", offset: 1 },
    { kind: "refused", why: "tooLarge", message: "" },
    { kind: "appended", offset: 2 },
  ] as const;
  const sent: (readonly string[])[] = [];
  for (const outcome of outcomes) {
    const batch = partition.one();
    sent.push(batch.values);
    batch.answer(outcome);
    await settle();
  }

  expect(sent).toEqual([["a", "b", "c"], ["a"], ["b"], ["c"]]);
  expect(answers.map(({ result }) => result)).toEqual(["e.0:1", "too_large", "e.0:2"]);
});

test("where the log forgets too soon an id of a client's own is refused, and others are published", async () => {
  partition.forgets = "set retention.ms";
  const before = publish("before");
  partition.grant();
  await settle();
  const [own, other] = [publish("own"), publish("other", { isPromised: false })];
  await settle();
  partition.one().answer({ kind: "appended", offset: 1 });
  await settle();

  expect([before.result, own.result, other.result]).toEqual(["id_not_kept", "id_not_kept", "e.0:1"]);
});

test("while what was published with a secret that isn't known may be retried, an id of a client's own is refused", async () => {
  const before = publish("before");
  partition.grant([
    { ...strange("x", 1), timestamp: time - WINDOW_MS },
    { ...strange("y", 2), timestamp: time + 50_000 },
    known("a", 3),
  ]);
  await settle();
  expect(before.message).toContain("PUBLISH_SECRET");
  const [again, own, other] = [publish("a"), publish("own"), publish("b", { isPromised: false })];
  await settle();
  partition.one().answer({ kind: "appended", offset: 4 });
  await settle();
  expect([before, again, own, other].map(({ result }) => result)).toEqual([
    ...["id_not_kept", "e.0:3", "id_not_kept", "e.0:4"],
  ]);

  pass(2 * WINDOW_MS);
  expect(publish("own").result).toBe("id_not_kept");
  pass(1);
  await published("own", 5);
  expect(publish("own").result).toBe("e.0:5");
});

test("past its bounds it refuses at once, and takes more when there is room", async () => {
  await claimed();
  const answers = range(0, WAITING_COUNT).map((i) => publish(String(i)));
  expect(publish("more").result).toBe("overloaded");
  await settle();
  partition.one().answer({ kind: "appended", offset: 0 });
  await settle();
  expect(publish("large", { bytes: 9_000_000 }).result).toBe("overloaded");

  expect(publish("more").result).toBeUndefined();
  expect(answers.filter(({ result }) => result !== undefined)).toHaveLength(1_000);
});

test("a partition of which no more can be remembered takes publishes again once what it remembers is old", async () => {
  writer.takeOver();
  partition.grant(range(0, LEDGER_ENTRIES).map((i) => ({ ...KNOWN, id: String(i), offset: i })));
  await settle();
  expect(publish("early").result).toBe("overloaded");

  pass(2 * WINDOW_MS + 1);
  const later = publish("later");
  await settle();
  partition.one().answer({ kind: "appended", offset: LEDGER_ENTRIES });
  await settle();

  expect(later.result).toBe(`e.0:${LEDGER_ENTRIES}`);
});

/** Publishes one, which is appended there. */
async function published(id: string, offset: number): Promise<void> {
  publish(id);
  await settle();
  partition.one().answer({ kind: "appended", offset });
  await settle();
}

test.each([-1_000_000, -60_001, 60_001, 1_000_000])(
  "a clock that is set by %d ms makes nothing forgotten: nothing is sent before the partition is claimed anew",
  async (ms) => {
    await claimed();
    await published("a", 1);
    time += ms;
    const next = publish("b");
    await settle();
    expect([partition.claims, partition.sent(), publish("a").result]).toEqual([2, [], undefined]);

    partition.grant([known("a", 1)]);
    await settle();
    partition.one().answer({ kind: "appended", offset: 2 });
    await settle();

    expect([next.result, publish("a").result, partition.released]).toEqual(["e.0:2", "e.0:1", [1]]);
  },
);

test("a clock that is set while the partition is claimed is not trusted: it is claimed anew", async () => {
  writer.takeOver();
  time += 1_500_000;
  partition.grant();
  publish("a");
  await settle();

  expect([partition.claims, partition.sent()]).toEqual([2, []]);
});

test.each([-60_000, 60_000])("with a clock that is set by %d ms it goes on", async (ms) => {
  await claimed();
  await published("a", 1);
  time += ms;
  await published("b", 2);

  expect([partition.claims, publish("a").result, publish("b").result]).toEqual([1, "e.0:1", "e.0:2"]);
});

test("what was published is known for twice the window, however the clock is set meanwhile", async () => {
  await claimed();
  await published("a", 1);
  pass(2 * WINDOW_MS - 30_000);
  time += 50_000;
  await published("b", 2);
  expect(publish("a").result).toBe("e.0:1");

  pass(30_001);
  await published("c", 3);
  publish("a");
  await settle();
  expect(partition.one().values).toEqual(["a"]);
});

test("what waits for all partitions together has a bound, which is given back", async () => {
  await claimed();
  room.left = 100;
  const first = publish("a", { bytes: 60 });
  expect(publish("b", { bytes: 60 }).result).toBe("overloaded");
  await settle();
  partition.one().answer({ kind: "appended", offset: 0 });
  await settle();

  expect([first.result, room.left]).toEqual(["e.0:0", 100]);
});

test("one partition never takes more of what there is for all than a third of what it leaves", async () => {
  await claimed();
  room.left = 100;
  const taken = range(0, 10).map((i) => publish(`${i}`, { bytes: 10 }));

  expect(taken.map(({ result }) => result)).toEqual([
    ...range(0, 2).map(() => undefined),
    ...range(0, 8).map(() => "overloaded"),
  ]);
  expect(room.left).toBe(80);
});

test("a batch for which nobody waits any more is not sent for ever: the next claim tells, and others go on", async () => {
  await claimed();
  const poison = publish("poison", { deadline: 100 });
  await settle();
  partition.one().answer({ kind: "unknown", message: "the broker closed the connection" });
  await settle();
  const next = publish("next");
  writer.expire(100);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(partition.claims).toBe(2);

  partition.grant();
  await settle();
  const batch = partition.one();
  batch.answer({ kind: "appended", offset: 3 });
  await settle();

  expect([poison.result, batch.values, next.result]).toEqual(["unknown", ["next"], "e.0:3"]);
});

test("closing leaves what wasn't sent to another origin, and says that the partition is released, once", async () => {
  await claimed();
  const sent = publish("sent");
  await settle();
  const waits = publish("waits");

  writer.close();
  partition.lose();
  await settle();

  expect([sent.result, waits.result, publish("late").result]).toEqual([
    "unknown",
    "not_writer",
    "not_writer",
  ]);
  expect(partition.released).toEqual([1]);
  expect(news).toEqual([{ id: 7, epoch: 1 }, undefined]);
});

test("a partition that is claimed when its writer was closed is released, and nobody hears of it", async () => {
  const waits = publish("waits");
  writer.close();
  partition.grant();
  await settle();

  expect([waits.result, partition.released, news]).toEqual(["not_writer", [1], []]);
});
