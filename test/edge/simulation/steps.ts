/** What can happen in a simulated edge, and how often. */
import fc from "fast-check";

export const PATHS = ["/quotes/A", "/quotes/B"];

export type Step =
  | { do: "append"; path: number; epoch: number; times: number }
  | { do: "subscribe"; path: number; from: { back: number; epochs: number } | undefined }
  | { do: "resubscribe"; who: number; from: { back: number; epochs: number } | undefined }
  | { do: "crowd"; path: number; epoch: number; past: number; many: number }
  | { do: "leave" | "slow"; who: number }
  | { do: "deliver"; choice: number; times: number }
  | { do: "pass"; ms: number }
  | { do: "setClock"; hours: number }
  | { do: "evict" | "cutLink"; path: number }
  | { do: "crashShard" | "evictShard" | "recreate" }
  | { do: (typeof ORIGIN_STEPS)[number]; who: number }
  | { do: "drop"; who: number; epoch: number; keep: number };

const ORIGIN_STEPS = [
  ...["start", "kill", "stop", "resume", "cutUplink", "handOver", "unready", "ready", "lag", "readOne"],
  ...["start", "kill", "stop", "resume", "readAll"],
] as const;

const path = fc.nat(PATHS.length - 1);
/** From beyond the end, too, and from a partition that the topic doesn't have. */
const epochs = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.nat(7) },
);
const from = fc.option(fc.record({ back: fc.integer({ min: -4, max: 12 }), epochs }), {
  nil: undefined,
});
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      path,
      epoch: fc.nat(1),
      times: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("subscribe" as const), path, from }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("resubscribe" as const), who: fc.nat(9), from }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("crowd" as const),
      path,
      epoch: fc.nat(2),
      past: fc.integer({ min: -8, max: 4 }),
      many: fc.integer({ min: 2, max: 30 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "slow" as const), who: fc.nat(9) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      choice: fc.nat(20),
      times: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.constantFrom(10, 1_000, 4_000, 40_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("setClock" as const), hours: fc.constantFrom(-24, -1, 1, 24) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("evict" as const, "cutLink" as const), path }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("crashShard" as const, "evictShard" as const),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom(...ORIGIN_STEPS), who: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("drop" as const),
      who: fc.nat(3),
      epoch: fc.nat(1),
      keep: fc.nat(8),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("recreate" as const) }) },
);
export const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 10, maxLength: 80 });
