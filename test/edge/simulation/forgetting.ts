/** What is forgotten in a simulated edge: by each origin's index, by the objects, and by the log itself. */
import fc from "fast-check";
import type { Stream } from "../../../shared/config/streams.ts";
import type { WindowLimits } from "../../../shared/core/window.ts";
import type { Memory } from "../../support/forgetful-index.ts";
import type { SimulatedEdge } from "../../support/simulated-edge.ts";
import { PATHS, type Step, step } from "./steps.ts";

export type ForgettingStep =
  | Step
  /** The log's start moves, or what later records replaced goes from it; the last so many stay. */
  | { do: "trim" | "compact"; epoch: number; keep: number }
  /** An index is deleted; an uplink is full, or empty again; one partition is read on. */
  | { do: "wipe" | "congest" | "drain"; who: number }
  | { do: "readOf"; who: number; epoch: number }
  /** There is a third partition, to which one of the keys moves; until then it is written to the second one. */
  | { do: "grow" }
  | { do: "move"; path: number; times: number }
  /** Everything arrives that is under way. */
  | { do: "arrive" };

export interface Forgetting {
  readonly window: WindowLimits;
  readonly stream: Pick<Stream, "start" | "compacted" | "replay" | "windowMs">;
  /** Of each origin, one after the other. */
  readonly memories: readonly Omit<Memory, "keepLatest">[];
}

const memory = fc.record({
  records: fc.constantFrom(Number.POSITIVE_INFINITY, 2, 4, 12),
  bytes: fc.constantFrom(Number.POSITIVE_INFINITY, 60, 17_000),
  ageMs: fc.constantFrom(Number.POSITIVE_INFINITY, 500, 5_000, 60_000),
  remembersTails: fc.boolean(),
});

export const forgettings: fc.Arbitrary<Forgetting> = fc.record({
  window: fc.record({
    updates: fc.constantFrom(5, 1, 2),
    ageMs: fc.constantFrom(30_000, 500, 3_000),
    bytes: fc.constantFrom(40_000, 200),
  }),
  stream: fc.record({
    start: fc.constantFrom("earliest" as const, "latest" as const),
    compacted: fc.boolean(),
    replay: fc.constantFrom(0, 5, 1_000),
    windowMs: fc.constantFrom(3_600_000, 500, 5_000),
  }),
  memories: fc.array(memory, { minLength: 4, maxLength: 4 }),
});

const epoch = fc.nat(1);
const who = fc.nat(3);
const keep = fc.constantFrom(0, 0, 1, 2, 5);
const forgets: fc.Arbitrary<ForgettingStep> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("drop" as const), who, epoch, keep }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("trim" as const, "compact" as const), epoch, keep }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("wipe" as const, "congest" as const, "drain" as const, "drain" as const),
      who,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("readOf" as const), who, epoch }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("move" as const),
      path: fc.nat(1),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "arrive" as const,
        "arrive" as const,
        "arrive" as const,
        "arrive" as const,
        "grow" as const,
      ),
    }),
  },
);

/** What nobody watched when it came, and much of which is gone when somebody does. */
const past: fc.Arbitrary<ForgettingStep[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant("append" as const),
      path: fc.nat(1),
      epoch,
      times: fc.integer({ min: 1, max: 5 }),
    }),
    fc.record({ do: fc.constant("drop" as const), who, epoch, keep }),
    fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1_000, 40_000) }),
    forgets,
  ),
  { maxLength: 6 },
);

const present = fc.array(fc.oneof({ weight: 3, arbitrary: step }, { weight: 1, arbitrary: forgets }), {
  minLength: 4,
  maxLength: 48,
  size: "medium",
});

export const forgettingSteps: fc.Arbitrary<ForgettingStep[]> = fc
  .tuple(past, present)
  .map((parts) => parts.flat());

type Acts = {
  [K in Exclude<ForgettingStep["do"], Step["do"]>]: (
    step: Extract<ForgettingStep, { do: K }>,
  ) => void | Promise<void>;
};

export function forgettingActs(edge: SimulatedEdge, epochOf: (epoch: number) => string): Acts {
  const origin = (number: number) => edge.origins[number % edge.origins.length];
  const before = (epoch: number, kept: number) => Math.max(0, edge.log.endOf(epochOf(epoch)) - kept);
  return {
    trim: ({ epoch, keep }) => edge.log.trim(epochOf(epoch), before(epoch, keep)),
    compact: ({ epoch, keep }) => edge.log.compact(epochOf(epoch), before(epoch, keep)),
    wipe: ({ who }) => origin(who)?.wipe(),
    congest: ({ who }) => origin(who)?.congest(),
    drain: ({ who }) => origin(who)?.drain(),
    grow: () => {
      if (edge.log.epochs.length < 3) edge.grow(epochOf(2));
    },
    move: ({ path, times }) => {
      for (let i = 0; i < times; i++)
        edge.append(PATHS[path] ?? "", { i }, epochOf(edge.log.epochs.length - 1));
    },
    arrive: async () => {
      while (await edge.deliver(0));
    },
    readOf: ({ who, epoch }) => void origin(who)?.readOne(epochOf(epoch)),
  };
}
