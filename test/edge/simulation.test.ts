/**
 * Random histories of the whole edge: records, lost links, lost origins, lost memory, subscribers that come from
 * anywhere, in every order of delivery.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Position } from "../../shared/protocol/position.ts";
import { frameText } from "../support/model-log.ts";
import { SimulatedEdge } from "../support/simulated-edge.ts";

const PATHS = ["/quotes/A", "/quotes/B"];

type Step =
  | { do: "append"; path: number; epoch: number; times: number }
  | { do: "subscribe"; path: number; from: { back: number; epochs: number } | undefined }
  | { do: "resubscribe"; who: number; from: { back: number; epochs: number } | undefined }
  | { do: "leave" | "slow"; who: number }
  | { do: "deliver"; choice: number; times: number }
  | { do: "pass"; ms: number }
  | { do: "evict" | "cutLink"; path: number }
  | { do: "cutOrigin" | "connectOrigin" | "crashShard" | "recreate" }
  | { do: "drop"; epoch: number; keep: number };

const path = fc.nat(PATHS.length - 1);
const from = fc.option(
  fc.record({ back: fc.integer({ min: -2, max: 12 }), epochs: fc.integer({ min: 1, max: 3 }) }),
  {
    nil: undefined,
  },
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
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
      arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(10, 1_000, 40_000) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("evict" as const, "cutLink" as const), path }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom("cutOrigin" as const, "connectOrigin" as const, "crashShard" as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("drop" as const), epoch: fc.nat(1), keep: fc.nat(8) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("recreate" as const) }) },
  ),
  { minLength: 10, maxLength: 80 },
);

/** A small generator of its own, so that a history is the same whenever it is played. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** JSON, bytes, and now and then a value that no attachment can hold. */
function valueNo(value: number): unknown {
  if (value % 7 === 0) return "x".repeat(16_000);
  return value % 4 === 0 ? new Uint8Array([value, 0xff]) : { value };
}

async function play(history: readonly Step[], seed: number): Promise<SimulatedEdge> {
  const edge = new SimulatedEdge({
    window: { updates: 5, ageMs: 30_000, bytes: 40_000 },
    log: { window: 4, page: 3 },
    random: mulberry(seed),
  });
  if (seed % 4 !== 0) edge.connectOrigin();
  let incarnation = 0;
  let value = 0;
  const epochOf = (epoch: number) => `t${incarnation}.${epoch}`;
  const positionOf = (wanted: { back: number; epochs: number } | undefined): Position | undefined => {
    if (wanted === undefined) return undefined;
    const position = new Map<string, number>();
    for (const epoch of [0, 1]) {
      const offset = edge.log.endOf(epochOf(epoch)) - 1 - wanted.back;
      if (wanted.epochs & (1 << epoch) && offset >= 0) position.set(epochOf(epoch), offset);
    }
    return position;
  };
  const act: { [K in Step["do"]]: (step: Extract<Step, { do: K }>) => Promise<void> | void } = {
    append: ({ path, epoch, times }) => {
      for (let i = 0; i < times; i++) {
        value++;
        edge.append(PATHS[path] ?? "", valueNo(value), epochOf(epoch));
      }
    },
    subscribe: ({ path, from }) => void edge.subscribe(PATHS[path] ?? "", positionOf(from)),
    resubscribe: ({ who, from }) => {
      const receiver = edge.receivers[who];
      if (receiver !== undefined) edge.resubscribe(receiver, positionOf(from));
    },
    leave: ({ who }) => void (edge.receivers[who] && edge.leave(edge.receivers[who])),
    slow: ({ who }) => void (edge.receivers[who] && edge.slow(edge.receivers[who])),
    deliver: async ({ choice, times }) => {
      for (let i = 0; i < times; i++) await edge.deliver(choice + i);
    },
    pass: ({ ms }) => {
      const until = edge.clock.now + ms;
      while (edge.clock.next(until - edge.clock.now));
      edge.clock.now = until;
    },
    evict: ({ path }) => void edge.evict(PATHS[path] ?? ""),
    cutLink: ({ path }) => edge.cutLink(PATHS[path] ?? ""),
    cutOrigin: () => edge.cutOrigin(),
    connectOrigin: () => edge.connectOrigin(),
    crashShard: () => edge.crashShard(),
    drop: ({ epoch, keep }) =>
      edge.log.dropBefore(Math.max(0, edge.log.endOf(epochOf(epoch)) - keep), epochOf(epoch)),
    recreate: () => {
      incarnation++;
      edge.recreate();
    },
  };
  for (const step of history) await (act[step.do] as (step: Step) => Promise<void> | void)(step);
  edge.connectOrigin();
  await edge.quiet();
  return edge;
}

test("[S3] [S5] [S6] [P5] [R1] [R2] [L7] every subscriber gets every record after its position once and in order, or is told that it can't, whatever is lost on the way", async () => {
  const seen = { updates: 0, recovered: 0, refused: 0, resets: 0, waits: 0 };
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (history, seed) => {
      const edge = await play(history, seed);

      // Where the log kept everything, only what it never held can be refused.
      const kept = !history.some((step) => step.do === "drop" || step.do === "recreate");
      expect(edge.problems).toEqual([]);
      for (const receiver of edge.receivers) {
        expect(receiver.violations).toEqual([]);
        for (const frame of receiver.updates) expect(edge.log.produced).toContain(frameText(frame));
        seen.updates += receiver.updates.length;
        seen.resets += receiver.resets.length;
        seen.waits += receiver.waits;
        for (const { recovered, cause } of receiver.verdicts) {
          if (recovered === true) seen.recovered++;
          if (recovered === false) seen.refused++;
          if (recovered === false && kept) expect(cause).not.toBe("horizon");
        }
        if (kept) expect(receiver.resets).toEqual([]);
        expect(edge.isAwake(receiver.path)).toBe(false);
        if (receiver.left) continue;
        expect(receiver.answered).toBe(true);
        const position = receiver.position ?? new Map();
        for (const { epoch, offset } of edge.log.records(receiver.path))
          expect(position.get(epoch) ?? -1, `${receiver.path} ${epoch}`).toBeGreaterThanOrEqual(offset);
      }
    }),
    { numRuns: 2_000 },
  );
  // The histories are of the kind that this is about.
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(50);
}, 60_000);
