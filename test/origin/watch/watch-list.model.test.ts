/**
 * Whatever happens in whatever order, an object that applies the rule of continuity has every record exactly
 * once and in order since the last time it was told where continuity begins.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Command, ForwardingWorld } from "../../support/forwarding-world.ts";
import { IndexFixture } from "../../support/index-records.ts";
import { MemoryHistory } from "../../support/memory-history.ts";

const SHARDS = 2;
const partition = fc.nat(2);
const shard = fc.nat(SHARDS - 1);
const link = fc.integer({ min: 1, max: 3 });
const key = fc.nat(2);
const bytes = fc.constantFrom(0, 1, 40, 300);
const share = fc.nat(20).map((twentieths) => twentieths / 20);
const kind = <K extends Command["kind"]>(name: K) => fc.constant(name);

const write = fc.record({ kind: kind("write"), partition, key, bytes, skip: fc.constantFrom(0, 0, 3) });
const read = fc.record({ kind: kind("read"), partition, max: fc.integer({ min: 1, max: 6 }) });
const watch = fc.record({ kind: kind("watch"), shard, link, key });
const step = fc.record({ kind: kind("step"), shard });
const usual: fc.Arbitrary<Command>[] = [
  ...[write, write, write, read, read, read, watch, watch, step, step, step],
  fc.record({ kind: kind("leave"), shard, link, key }),
  fc.record({ kind: kind("congest"), shard }),
  fc.record({ kind: kind("drain"), shard }),
  fc.record({ kind: kind("break"), shard }),
];
const losses: fc.Arbitrary<Command>[] = [
  fc.record({ kind: kind("forget"), partition, share }),
  fc.record({ kind: kind("expire"), partition, share }),
  fc.record({ kind: kind("compact"), partition, share }),
  fc.record({ kind: kind("describe") }),
  fc.record({ kind: kind("grow") }),
  fc.record({ kind: kind("recreate") }),
];

/** What an answer may hold, and whether the latest record of a key outlives what the index drops. */
const settings = fc.record({
  updates: fc.integer({ min: 1, max: 8 }),
  bytes: fc.constantFrom(1, 500, 5_000),
  compacted: fc.boolean(),
});

function play(
  commands: readonly Command[],
  { compacted, ...bounds }: typeof settings extends fc.Arbitrary<infer T> ? T : never,
) {
  const world = new ForwardingWorld({
    history: new MemoryHistory(),
    bounds,
    shards: SHARDS,
    forget: (history, number, below) => history.drop("t", number, below, compacted),
  });
  for (const command of commands) world.run(command);
  world.settle();
  world.check();
  world.checkLatest();
  return world;
}

test("[P5] [R3] [S6] [U5] [U6] [U10] nothing is missed and nothing comes twice, whatever is lost on the way", () => {
  let resets = 0;
  let received = 0;
  fc.assert(
    fc.property(
      fc.array(fc.oneof(...usual, ...losses), { maxLength: 150, size: "max" }),
      settings,
      (commands, chosen) => {
        for (const object of play(commands, chosen).objects()) {
          resets += object.causes.length;
          received += object.received.length;
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(resets).toBeGreaterThan(50);
  expect(received).toBeGreaterThan(1_000);
});

function playOnDisk(
  commands: readonly Command[],
  { compacted, ...bounds }: typeof settings extends fc.Arbitrary<infer T> ? T : never,
) {
  const fixture = new IndexFixture({
    topics: { t: { keepLatest: compacted } },
    bounds: { maxRecords: 10, maxBytes: 1e9 },
  });
  try {
    const world = new ForwardingWorld({
      history: fixture.index,
      bounds,
      shards: SHARDS,
      forget: () => fixture.settle(),
    });
    for (const command of commands) world.run(command);
    world.settle();
    world.check();
    world.checkLatest();
    return world;
  } finally {
    fixture.remove();
  }
}

test("[P5] [R3] [U5] the same with the index on disk, which drops what is too much", () => {
  let resets = 0;
  fc.assert(
    fc.property(
      fc.array(fc.oneof(...usual, ...losses), { maxLength: 150, size: "max" }),
      settings,
      (commands, chosen) => {
        for (const object of playOnDisk(commands, chosen).objects()) resets += object.causes.length;
      },
    ),
    { numRuns: 60 },
  );
  expect(resets).toBeGreaterThan(5);
});

test("[R3] [U10] where the log and the index lose nothing, continuity is never lost", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(...usual), { maxLength: 150, size: "max" }),
      settings,
      (commands, chosen) => {
        for (const object of play(commands, chosen).objects()) expect(object.causes).toEqual([]);
      },
    ),
    { numRuns: 400 },
  );
});

test.each([
  ["in memory", play, 400],
  ["on disk", playOnDisk, 60],
] as const)(
  "[P5] [R8] what compaction takes before it is read is never hidden, and no key that was deleted is shown, with an index %s",
  (_, played, numRuns) => {
    const cleaned = [
      fc.record({ kind: kind("compact"), partition, share: fc.constantFrom(0.8, 1) }),
      fc.record({ kind: kind("read"), partition, max: fc.constant(100) }),
    ];
    let rereads = 0;
    fc.assert(
      fc.property(
        fc.array(fc.oneof(...usual, ...cleaned), { maxLength: 150, size: "max" }),
        settings,
        (commands, chosen) => {
          rereads += played(commands, chosen).rereads;
        },
      ),
      { numRuns },
    );
    expect(rereads).toBeGreaterThan(numRuns / 10);
  },
);
