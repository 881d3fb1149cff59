import { expect, test, vi } from "vitest";
import { SinkError } from "../../../origin/publish/sink.ts";
import { WAITING_COUNT } from "../../../origin/publish/waiting.ts";
import { range } from "../../support/contract-records.ts";
import { known, settle, writerWorld } from "../../support/writer-world.ts";

const world = writerWorld();
const { publish, claimed } = world;

test("what comes in one turn goes together, and what comes meanwhile goes with the next batch, in order", async () => {
  await claimed();
  const answers = ["a", "b"].map((id) => publish(id));
  await settle();
  const first = world.partition.one();
  answers.push(...["c", "d", "e"].map((id) => publish(id)));
  await settle();
  expect(world.partition.sent()).toEqual([]);

  first.answer({ kind: "appended", offset: 10 });
  await settle();
  const second = world.partition.one();
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
  expect(world.partition.sent()).toEqual([]);

  world.partition.grant([known("done", 3), known("other", 4)]);
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 9 });
  await settle();

  expect([done.result, other.result, fresh.result]).toEqual(["e.0:3", "id_reused", "e.0:9"]);
});

test("a batch of unknown outcome is sent again as it is, and nothing else before it", async () => {
  await claimed();
  const first = publish("a");
  await settle();
  const batch = world.partition.one();
  const second = publish("b");
  for (let tries = 1; tries <= 10; tries++) {
    const sent = tries === 1 ? batch : world.partition.one();
    expect([sent.values, sent.tries]).toEqual([["a"], tries]);
    sent.answer({ kind: "unknown", message: "no answer" });
    await settle();
    expect(world.partition.sent()).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
  }

  world.partition.one().answer({ kind: "appended", offset: 5 });
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 6 });
  await settle();

  expect([first.result, second.result]).toEqual(["e.0:5", "e.0:6"]);
  expect(world.partition.claims).toBe(1);
});

test("when a claim is of no use any more, the next one tells what was appended, and the rest is sent in order", async () => {
  await claimed();
  const answers = ["a", "b"].map((id) => publish(id));
  await settle();
  answers.push(publish("c"));
  world.partition.one().answer({ kind: "stale", message: "lost" });
  await settle();

  world.partition.grant([known("a", 7)]);
  await settle();
  const again = world.partition.one();
  again.answer({ kind: "appended", offset: 8 });
  await settle();

  expect([again.values, again.claim]).toEqual([["b", "c"], 2]);
  expect(answers.map(({ result }) => result)).toEqual(["e.0:7", "e.0:8", "e.0:9"]);
  expect(world.news).toEqual(["taking", { id: 7, epoch: 1 }, undefined, "taking", { id: 7, epoch: 2 }]);
  expect(world.partition.released).toEqual([1]);
});

test("[W9] what waits for a claim until its time is over isn't written, and is told so, unless the log has it", async () => {
  const [done, late] = [
    publish("done", { until: world.time + 100 }),
    publish("late", { until: world.time + 100 }),
  ];
  const early = publish("early", { until: world.time + 101 });
  world.time += 100;
  world.partition.grant([known("done", 3)]);
  await settle();
  expect(world.partition.one().values).toEqual(["early"]);

  expect([done.result, late.result, early.result]).toEqual(["e.0:3", "unavailable", undefined]);
});

test("[W9] what is about to leave is looked at once more: one that is late keeps a batch from being sent, and of one that was sent all", async () => {
  await claimed();
  const [early, late] = [
    publish("early", { until: world.time + 100 }),
    publish("late", { until: world.time + 200 }),
  ];
  await settle();
  const first = world.partition.one();
  expect(first.isLate()).toBe(false);
  world.time += 100;
  expect(first.isLate()).toBe(true);
  first.answer({ kind: "notNow", message: "late" });
  await vi.advanceTimersByTimeAsync(50);
  const second = world.partition.one();
  expect([early.result, second.values]).toEqual(["unavailable", ["late"]]);

  const more = publish("more", { until: world.time + 300 });
  second.answer({ kind: "unknown", message: "no answer" });
  await vi.advanceTimersByTimeAsync(50);
  const again = world.partition.one();
  expect([again.values, again.isLate()]).toEqual([["late"], false]);
  world.time += 100;
  expect([again.isLate(), late.result, more.result]).toEqual([true, undefined, undefined]);
});

test("what wasn't appended, and can't be now, is tried again with what came since, and is unavailable when its time is up", async () => {
  await claimed();
  const first = publish("a", { deadline: 100 });
  await settle();
  const failed = world.partition.one();
  const second = publish("b");
  failed.answer({ kind: "notNow", message: "not enough replicas" });
  await settle();
  expect([world.writer.state, world.partition.sent()]).toEqual(["pausing", []]);
  await vi.advanceTimersByTimeAsync(50);
  const again = world.partition.one();
  expect([again.values, again.tries]).toEqual([["a", "b"], 1]);
  again.answer({ kind: "notNow", message: "not enough replicas" });
  await settle();
  world.writer.expire(100);
  expect(first.result).toBe("unavailable");

  await vi.advanceTimersByTimeAsync(2_000);
  const last = world.partition.one();
  last.answer({ kind: "appended", offset: 7 });
  await settle();
  expect([last.values, second.result]).toEqual([["b"], "e.0:7"]);
});

test("[W9] what comes when its time is over has no partition claimed for it", async () => {
  world.time += 100;
  const late = publish("late", { until: world.time });
  await settle();

  expect([late.result, world.writer.state, world.partition.claims]).toEqual(["unavailable", "idle", 0]);
});

test("[W9] the same that comes again prolongs what is under way", async () => {
  await claimed();
  publish("a", { deadline: 50, until: world.time + 100 });
  await settle();
  world.partition.one().answer({ kind: "unknown", message: "" });
  world.writer.expire(50);
  const again = publish("a", { until: world.time + 201 });
  await settle();
  world.time += 200;
  await vi.advanceTimersByTimeAsync(50);
  world.partition.one().answer({ kind: "stale", message: "" });
  await settle();
  world.partition.grant();
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 4 });
  await settle();

  expect(again.result).toBe("e.0:4");
});

test("a deadline that passes: what wasn't sent is not published, what was may be", async () => {
  await claimed();
  const sent = publish("sent", { deadline: 100 });
  await settle();
  const waits = publish("waits", { deadline: 100 });
  const later = publish("later", { deadline: 101 });

  world.writer.expire(99);
  expect([sent.result, waits.result]).toEqual([undefined, undefined]);
  world.writer.expire(100);
  expect([sent.result, waits.result, later.result]).toEqual(["unknown", "unavailable", undefined]);
  world.partition.one().answer({ kind: "appended", offset: 1 });
  await settle();

  expect(world.partition.one().values).toEqual(["later"]);
});

test("the same publish again while the first waits is told so; once the first was told unknown, it is told the outcome", async () => {
  await claimed();
  const first = publish("a", { deadline: 100 });
  await settle();
  expect(publish("a").result).toBe("in_flight");
  expect(publish("a", { value: "x" }).result).toBe("id_reused");
  world.writer.expire(100);

  const again = publish("a");
  expect(again.result).toBeUndefined();
  expect(publish("a").result).toBe("in_flight");
  world.partition.one().answer({ kind: "appended", offset: 4 });
  await settle();

  expect([first.result, again.result, publish("a").result]).toEqual(["unknown", "e.0:4", "e.0:4"]);
});

test("another that fences: what may be in the log is unknown, all else is for that one, until told to take over", async () => {
  await claimed();
  const first = publish("a");
  await settle();
  const waits = publish("b");
  world.partition.one().answer({ kind: "fenced" });
  await settle();
  expect([first.result, waits.result, publish("c").result]).toEqual([
    "not_writer",
    "not_writer",
    "not_writer",
  ]);
  expect(world.news).toEqual(["taking", { id: 7, epoch: 1 }, undefined]);

  world.writer.takeOver();
  world.partition.grant();
  await settle();
  const doubtful = publish("d");
  await settle();
  world.partition.one().answer({ kind: "unknown", message: "" });
  await vi.advanceTimersByTimeAsync(2_000);
  world.partition.one().answer({ kind: "fenced" });
  await settle();

  expect(doubtful.result).toBe("unknown");
});

test("a claim that is found lost while nothing is sent ends there and then", async () => {
  await claimed();
  world.partition.lose();
  await settle();

  expect(world.writer.state).toBe("resigned");
  expect(publish("a").result).toBe("not_writer");
});

test("what was sent, and may be in the log, is unknown also when the partition is found lost before it is sent again", async () => {
  await claimed();
  const sent = publish("sent");
  await settle();
  world.partition.one().answer({ kind: "unknown", message: "no answer" });
  await settle();
  const waits = publish("waits");
  world.partition.lose();
  await settle();

  expect([sent.result, waits.result, world.writer.state]).toEqual(["unknown", "not_writer", "resigned"]);
});

test.each([
  [new SinkError("unavailable", "no broker"), "unavailable", "barred"],
  [new SinkError("forbidden", "no right"), "forbidden", "barred"],
  [new SinkError("changed", "gone"), "unknown_topic", "barred"],
  [new SinkError("fenced", "lost"), "not_writer", "resigned"],
  [new Error("bug"), "unavailable", "barred"],
])("a claim that fails with %s answers what waits with %s", async (error, code, state) => {
  const waits = publish("a");
  world.partition.refuse(error);
  await settle();

  expect([waits.result, publish("b").result, world.writer.state]).toEqual([code, code, state]);
});

test("a partition that can't be claimed is tried again when something is published, ever less often, up to 30 s", async () => {
  for (const failures of range(0, 12)) {
    publish(`${failures}`);
    expect(world.partition.claims).toBe(failures + 1);
    world.partition.refuse(new SinkError("unavailable", "no broker"));
    await settle();
    await vi.advanceTimersByTimeAsync(Math.min(15_000, 500 * 2 ** failures));
    expect(world.writer.state).toBe("idle");
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
    const batch = world.partition.one();
    sent.push(batch.values);
    batch.answer(outcome);
    await settle();
  }

  expect(sent).toEqual([["a", "b", "c"], ["a"], ["b"], ["c"]]);
  expect(answers.map(({ result }) => result)).toEqual(["e.0:1", "too_large", "e.0:2"]);
});

test("past its bounds it refuses at once, and takes more when there is room", async () => {
  await claimed();
  const answers = range(0, WAITING_COUNT).map((i) => publish(String(i)));
  expect(publish("more").result).toBe("overloaded");
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 0 });
  await settle();
  expect(publish("large", { bytes: 9_000_000 }).result).toBe("overloaded");

  expect(publish("more").result).toBeUndefined();
  expect(answers.filter(({ result }) => result !== undefined)).toHaveLength(1_000);
});

test("what waits for all partitions together has a bound, which is given back", async () => {
  await claimed();
  world.room.left = 100;
  const first = publish("a", { bytes: 60 });
  expect(publish("b", { bytes: 60 }).result).toBe("overloaded");
  await settle();
  world.partition.one().answer({ kind: "appended", offset: 0 });
  await settle();

  expect([first.result, world.room.left]).toEqual(["e.0:0", 100]);
});

test("one partition never takes more of what there is for all than a third of what it leaves", async () => {
  await claimed();
  world.room.left = 100;
  const taken = range(0, 10).map((i) => publish(`${i}`, { bytes: 10 }));

  expect(taken.map(({ result }) => result)).toEqual([
    ...range(0, 2).map(() => undefined),
    ...range(0, 8).map(() => "overloaded"),
  ]);
  expect(world.room.left).toBe(80);
});

test("a batch for which nobody waits any more is not sent for ever: the next claim tells, and others go on", async () => {
  await claimed();
  const poison = publish("poison", { deadline: 100 });
  await settle();
  world.partition.one().answer({ kind: "unknown", message: "the broker closed the connection" });
  await settle();
  const next = publish("next");
  world.writer.expire(100);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(world.partition.claims).toBe(2);

  world.partition.grant();
  await settle();
  const batch = world.partition.one();
  batch.answer({ kind: "appended", offset: 3 });
  await settle();

  expect([poison.result, batch.values, next.result]).toEqual(["unknown", ["next"], "e.0:3"]);
});

test("closing leaves what wasn't sent to another origin, and says that the partition is released, once", async () => {
  await claimed();
  const sent = publish("sent");
  await settle();
  const waits = publish("waits");

  world.writer.close();
  world.partition.lose();
  await settle();

  expect([sent.result, waits.result, publish("late").result]).toEqual([
    "unknown",
    "not_writer",
    "not_writer",
  ]);
  expect(world.partition.released).toEqual([1]);
  expect(world.news).toEqual(["taking", { id: 7, epoch: 1 }, undefined]);
});

test("a partition that is claimed when its writer was closed is released, and nobody hears that it was claimed", async () => {
  const waits = publish("waits");
  world.writer.close();
  world.partition.grant();
  await settle();

  expect([waits.result, world.partition.released, world.news]).toEqual([
    "not_writer",
    [1],
    ["taking", undefined],
  ]);
});

test("[W8] it says when it begins to take the partition, and when nothing comes of that", async () => {
  publish("a");
  expect(world.news).toEqual(["taking"]);
  world.partition.refuse(new SinkError("fenced", "another is faster"));
  await settle();

  expect(world.news).toEqual(["taking", undefined]);
});
