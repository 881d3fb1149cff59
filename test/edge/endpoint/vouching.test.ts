/**
 * What a window vouches for, and what an origin proves, against a log and indexes that drop: whatever was answered, came
 * live, was dropped, aged or slept through, whoever comes back is told that nothing is missing only if nothing is.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { HISTORIES, SEED } from "../../support/long.ts";
import {
  type Chosen,
  type Command,
  type VouchingOptions,
  VouchingWorld,
} from "../../support/vouching-world.ts";

const epoch = fc.nat(1);
const who = fc.nat(1);
const keep = fc.constantFrom(0, 0, 1, 2, 4);
const kind = <K extends Command["kind"]>(name: K) => fc.constant(name);
const times = fc.integer({ min: 1, max: 4 });

const back = fc.option(fc.integer({ min: -1, max: 9 }), { nil: undefined });
const chosen: fc.Arbitrary<Chosen> = fc.oneof(
  fc.record({ held: fc.nat(20), without: fc.option(epoch, { nil: undefined, freq: 4 }) }),
  fc.record({ offsets: fc.tuple(back, back) }),
);

const write = fc.record({ kind: kind("write"), epoch, other: fc.boolean(), times });
const read = fc.record({ kind: kind("read"), who, times: fc.constantFrom(1, 3, 20) });
const drop = fc.record({ kind: kind("drop"), who, epoch, keep });
const command: fc.Arbitrary<Command> = fc.oneof(
  ...[write, write, write, read, read, read, drop, drop],
  fc.record({ kind: fc.constantFrom("trim" as const, "compact" as const), epoch, keep }),
  fc.record({ kind: fc.constantFrom("wipe" as const, "restart" as const), who }),
  fc.record({ kind: fc.constantFrom("attach" as const, "grant" as const), who }),
  fc.record({ kind: kind("ask"), from: chosen }),
  fc.record({ kind: kind("ask"), from: chosen }),
  fc.record({ kind: fc.constantFrom("congest" as const, "drain" as const) }),
  fc.record({ kind: kind("age"), ms: fc.constantFrom(10, 1_000, 20_000) }),
  fc.record({ kind: kind("hibernate") }),
);

const infinity = Number.POSITIVE_INFINITY;
const memory = fc.record({
  records: fc.constantFrom(infinity, 3, 8),
  bytes: fc.constantFrom(infinity, 30),
  ageMs: fc.constantFrom(infinity, 500, 5_000),
  keepLatest: fc.constant(false),
  remembersTails: fc.boolean(),
});
const options = fc.record({
  window: fc.record({
    updates: fc.constantFrom(5, 1, 2),
    ageMs: fc.constantFrom(60_000, 500),
    bytes: fc.constantFrom(10_000, 100),
  }),
  stream: fc.record({
    start: fc.constantFrom("earliest" as const, "latest" as const),
    compacted: fc.boolean(),
  }),
  memories: fc.array(memory, { minLength: 1, maxLength: 2 }),
});

type History = [Command, Chosen][];
/** It keeps all until it is told to drop it. */
const FORGETS = {
  ...{ records: infinity, bytes: infinity, ageMs: infinity },
  ...{ keepLatest: false, remembersTails: false },
};
const NONE: Chosen = { offsets: [undefined, undefined] };

/** Histories that once went wrong, as the search for such found them. */
const ONCE_WRONG: [History, VouchingOptions][] = [
  // A window vouched for an empty partition, of which the next source, that had dropped a record of it, said nothing.
  [
    [
      [{ kind: "write", epoch: 1, other: false, times: 1 }, NONE],
      [{ kind: "attach", who: 0 }, NONE],
      [{ kind: "read", who: 0, times: 1 }, NONE],
      [{ kind: "write", epoch: 0, other: false, times: 1 }, NONE],
      [{ kind: "ask", from: { held: 0, without: undefined } }, NONE],
      [{ kind: "read", who: 1, times: 20 }, NONE],
      [{ kind: "drop", who: 1, epoch: 0, keep: 0 }, NONE],
      [{ kind: "attach", who: 1 }, NONE],
      [{ kind: "write", epoch: 0, other: false, times: 1 }, NONE],
      [{ kind: "read", who: 1, times: 1 }, NONE],
    ],
    {
      window: { updates: 5, ageMs: 60_000, bytes: 10_000 },
      stream: { start: "earliest", compacted: false },
      memories: [FORGETS, FORGETS],
    },
  ],
  // Somebody else's question was answered while the object's own had to wait, and a record came that was none's successor.
  [
    [
      [{ kind: "write", epoch: 1, other: false, times: 4 }, NONE],
      [{ kind: "read", who: 0, times: 3 }, NONE],
      [{ kind: "trim", epoch: 1, keep: 0 }, NONE],
      [{ kind: "write", epoch: 1, other: false, times: 2 }, NONE],
      [{ kind: "attach", who: 0 }, NONE],
      [{ kind: "wipe", who: 0 }, NONE],
      [{ kind: "ask", from: { held: 0, without: 1 } }, NONE],
      [{ kind: "read", who: 0, times: 1 }, NONE],
    ],
    {
      window: { updates: 5, ageMs: 60_000, bytes: 10_000 },
      stream: { start: "earliest", compacted: false },
      memories: [FORGETS],
    },
  ],
  // A window that held all of one partition said to who had nothing that all was there, and the home's record had been dropped.
  [
    [
      [{ kind: "write", epoch: 1, other: false, times: 1 }, NONE],
      [{ kind: "write", epoch: 0, other: false, times: 1 }, NONE],
      [{ kind: "read", who: 0, times: 20 }, NONE],
      [{ kind: "drop", who: 0, epoch: 0, keep: 0 }, NONE],
      [{ kind: "attach", who: 0 }, NONE],
    ],
    {
      window: { updates: 5, ageMs: 60_000, bytes: 10_000 },
      stream: { start: "earliest", compacted: false },
      memories: [FORGETS],
    },
  ],
];

/** A loss that is known and can't be told yet: what follows in the other partition than its own was removed in part. */
function heldBack(other: boolean): Command[] {
  return [
    { kind: "write", epoch: 1, other: false, times: 1 },
    { kind: "read", who: 0, times: 1 },
    { kind: "write", epoch: 0, other: false, times: 1 },
    { kind: "attach", who: 0 },
    { kind: "write", epoch: 1, other, times: 2 },
    { kind: "trim", epoch: 0, keep: 0 },
    // The home was empty when it was read last, and so the window vouches for nothing before.
    { kind: "attach", who: 0 },
    { kind: "compact", epoch: 1, keep: 0 },
    // The home's record has gone, and the other partition is read again first.
    { kind: "read", who: 0, times: 1 },
  ];
}

/** More is written than one command reads: what is held back is due only when all of it has been read. */
const LONG_HELD_BACK: [boolean, History, VouchingOptions] = [
  false,
  [[{ kind: "write", epoch: 1, other: false, times: 24 }, NONE]],
  {
    window: { updates: 5, ageMs: 60_000, bytes: 10_000 },
    stream: { start: "earliest", compacted: false },
    memories: [FORGETS, FORGETS],
  },
];

test("[R1] [R8] [S5] who is served while a loss is held back is told of it when the partition has been read again", () => {
  const world = new VouchingWorld({
    window: { updates: 5, ageMs: 60_000, bytes: 10_000 },
    stream: { start: "earliest", compacted: false },
    memories: [FORGETS],
  });
  for (const command of heldBack(false)) {
    world.run(command);
    expect(world.owes).toBe(false);
    world.judge(NONE);
  }
  expect(world.owes).toBe(true);
  // Not by going on is it forgotten.
  world.run({ kind: "hibernate" });
  world.run({ kind: "write", epoch: 0, other: false, times: 1 });
  expect(world.owes).toBe(true);
  world.run({ kind: "read", who: 0, times: 20 });
  world.judge(NONE);
  expect(world.owes).toBe(false);
  expect(world.truth.problems).toEqual([]);
});

test(
  "[R1] [R8] [S5] a loss that is held back is told whatever happens meanwhile",
  () => {
    let owed = 0;
    const tail = fc.array(fc.tuple(command, chosen), { maxLength: 12, size: "medium" });
    fc.assert(
      fc.property(fc.boolean(), tail, options, (other, history, chosenOptions) => {
        const world = new VouchingWorld({
          ...chosenOptions,
          stream: { start: "earliest", compacted: false },
        });
        for (const command of heldBack(other)) {
          world.run(command);
          world.judge(NONE);
        }
        if (world.owes) owed++;
        for (const [command, from] of history) {
          world.run(command);
          world.judge(from);
        }
        // However much was written: the loss is due only when the partitions have been read to their ends.
        for (const who of [0, 1]) world.run({ kind: "finish", who });
        world.run({ kind: "drain" });
        expect(world.truth.problems).toEqual([]);
        expect(world.owes).toBe(false);
      }),
      { numRuns: Math.ceil(HISTORIES / 10), examples: [LONG_HELD_BACK], seed: SEED },
    );
    expect(owed).toBeGreaterThan(HISTORIES / 40);
  },
  60_000 + HISTORIES * 10,
);

test(
  "[R1] [R3] [P3] nobody is told that nothing is missing where something is, whatever was dropped by whom",
  () => {
    let served = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(command, chosen), { maxLength: 40, size: "medium" }),
        options,
        (history, chosenOptions) => {
          const world = new VouchingWorld(chosenOptions);
          for (const [command, from] of history) {
            world.run(command);
            world.judge(from);
          }
          served += world.truth.served;
          expect(world.truth.problems).toEqual([]);
        },
      ),
      { numRuns: HISTORIES, examples: ONCE_WRONG, seed: SEED },
    );
    expect(served).toBeGreaterThan(1_000);
  },
  60_000 + HISTORIES * 100,
);
