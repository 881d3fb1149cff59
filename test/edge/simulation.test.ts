/**
 * Random histories of the whole edge: records, lost links, lost memory, subscribers that come from anywhere, one to
 * four origins of one slice or two that lag, stop, die, leave and come back, clocks that are set, in every order of delivery.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Position } from "../../shared/protocol/position.ts";
import { type Slice, WHOLE } from "../../shared/protocol/slice.ts";
import { LONG } from "../support/long.ts";
import { lossesOf } from "../support/losses.ts";
import { homeOf, SimulatedEdge } from "../support/simulated-edge.ts";
import { textOf } from "../support/written-log.ts";
import { ONCE_WRONG } from "./simulation-examples.ts";
import {
  type Forgetting,
  type ForgettingStep,
  forgettingActs,
  forgettingSteps,
  forgettings,
} from "./simulation-forgetting.ts";
import { FORGOTTEN } from "./simulation-forgotten.ts";
import { PATHS, steps } from "./simulation-steps.ts";

/** `npm run test:long` plays more, and others each time. */
const HISTORIES = Number(process.env.SIMULATED_HISTORIES ?? 2_000);
const CHANCE = LONG ? {} : { seed: 20261126 };
const LONG_ENOUGH_MS = 60_000 + HISTORIES * 30;

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

/** Nothing else is watched, noted, linked or forwarded, by the origin of each slice. */
function whoWatches(paths: readonly string[], slices: number) {
  const shard = [`${paths.length} endpoints`, `${paths.length} links`];
  const origins = paths.flatMap((path) => Array.from({ length: slices }, () => path));
  return { rows: paths, shard, objects: paths, origins };
}

/** One to three that read everything, two for each of two slices, or some of both kinds. */
function slicesOf(seed: number): readonly Slice[] {
  const halves = [1, 2].map((number) => ({ number, count: 2 }));
  if (seed % 5 === 4) return [WHOLE, ...halves];
  return seed % 2 === 0 ? [...halves, ...halves] : [WHOLE, WHOLE, WHOLE].slice(seed % 3);
}

async function play(
  history: readonly ForgettingStep[],
  seed: number,
  forgetting: Partial<Forgetting> = {},
): Promise<SimulatedEdge> {
  const { stream, memories } = forgetting;
  const edge = new SimulatedEdge({
    window: forgetting.window ?? { updates: 5, ageMs: 30_000, bytes: 40_000 },
    log: { window: 4, page: 3 },
    origins: slicesOf(seed),
    random: mulberry(seed),
    epochs: ["t0.0", "t0.1"],
    ...(stream && { stream }),
    ...(memories && { memories: memories.map((of) => ({ ...of, keepLatest: stream?.compacted ?? false })) }),
  });
  if (seed % 4 !== 0) for (const origin of edge.origins) origin.start();
  const origin = (who: number) => edge.origins[who % edge.origins.length];
  let incarnation = 0;
  let value = 0;
  const epochOf = (epoch: number) => `t${incarnation}.${epoch}`;
  const positionOf = (wanted: { back: number; epochs: number } | undefined): Position | undefined => {
    if (wanted === undefined) return undefined;
    const position = new Map<string, number>();
    for (const epoch of [0, 1, 2]) {
      const offset = edge.log.endOf(epochOf(epoch)) - 1 - wanted.back;
      if (wanted.epochs & (1 << epoch) && offset >= 0) position.set(epochOf(epoch), offset);
    }
    return position;
  };
  const act: {
    [K in ForgettingStep["do"]]: (step: Extract<ForgettingStep, { do: K }>) => Promise<void> | void;
  } = {
    ...forgettingActs(edge, epochOf),
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
    crowd: ({ path, epoch, past, many }) => {
      const first = edge.log.endOf(epochOf(epoch)) + past;
      for (let offset = first; offset < first + many; offset++)
        if (offset >= 0) edge.subscribe(PATHS[path] ?? "", new Map([[epochOf(epoch), offset]]));
    },
    leave: ({ who }) => void (edge.receivers[who] && edge.leave(edge.receivers[who])),
    slow: ({ who }) => void (edge.receivers[who] && edge.slow(edge.receivers[who])),
    deliver: async ({ choice, times }) => {
      for (let i = 0; i < times; i++) await edge.deliver(choice + i);
    },
    pass: ({ ms }) => edge.pass(ms),
    setClock: ({ hours }) => edge.setClock(hours * 3_600_000),
    evict: ({ path }) => void edge.evict(PATHS[path] ?? ""),
    cutLink: ({ path }) => edge.cutLink(PATHS[path] ?? ""),
    start: ({ who }) => origin(who)?.start(),
    kill: ({ who }) => origin(who)?.kill(),
    stop: ({ who }) => origin(who)?.stop(),
    resume: ({ who }) => origin(who)?.resume(),
    cutUplink: ({ who }) => origin(who)?.cutUplink(),
    handOver: ({ who }) => origin(who)?.leave(),
    unready: ({ who }) => origin(who)?.setReady(false),
    ready: ({ who }) => origin(who)?.setReady(true),
    lag: ({ who }) => origin(who)?.lag(),
    readOne: ({ who }) => void origin(who)?.readOne(),
    readAll: ({ who }) => origin(who)?.readAll(),
    crashShard: () => edge.crashShard(),
    evictShard: () => void edge.evictShard(),
    drop: ({ who, epoch, keep }) => {
      const index = origin(who)?.index;
      index?.dropBefore(Math.max(0, index.endOf(epochOf(epoch)) - keep), epochOf(epoch));
    },
    recreate: () => {
      incarnation++;
      edge.recreate([epochOf(0), epochOf(1)]);
    },
  };
  for (const step of history) await (act[step.do] as (step: ForgettingStep) => Promise<void> | void)(step);
  for (const origin of edge.origins) origin.recover();
  await edge.quiet();
  // Longer than an endpoint stays attached after its last subscriber has gone (L5).
  edge.pass(40_000);
  await edge.quiet();
  for (const { name, open } of edge.origins)
    if (open > 0) edge.problems.push(`${name} has not answered ${open} questions`);
  if (seed % 3 === 0) await findForgotten(edge);
  return edge;
}

/** Whoever takes over is asked again what the shard holds to be unanswered (L7): by now that must be nothing. */
async function findForgotten(edge: SimulatedEdge): Promise<void> {
  const before = new Set(edge.asked.splice(0));
  for (const origin of edge.origins) origin.cutUplink();
  await edge.quiet();
  const forgotten = edge.asked.filter((ask) => before.has(ask) && !ask.endsWith(":0"));
  if (forgotten.length > 0) edge.problems.push(`still open: ${forgotten}`);
}

test(
  "[S3] [S5] [S6] [P5] [R1] [R2] [L7] [U13] [U14] [N2] [N5] [N6] [N7] [N9] every subscriber gets every record after its position once and in order, or is told that it can't, whatever is lost on the way",
  async () => {
    const seen = { updates: 0, recovered: 0, refused: 0, resets: 0, waits: 0, promotions: 0, divided: 0 };
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (history, seed) => {
        const edge = await play(history, seed);

        // Where the log kept everything, only what it never held can be refused.
        const dropped = history.some((step) => step.do === "drop");
        const kept = !history.some((step) => step.do === "drop" || step.do === "recreate");
        expect(edge.problems).toEqual([]);
        const here = edge.receivers.filter(({ left }) => !left).map(({ path }) => path);
        expect(edge.watched()).toEqual(whoWatches([...new Set(here)].sort(), edge.slices()));
        seen.divided += edge.slices() > 1 ? 1 : 0;
        const { produced } = edge.log;
        seen.promotions += edge.promotions;
        for (const receiver of edge.receivers) {
          expect(receiver.violations).toEqual([]);
          // Where an origin has dropped what another one holds, who claims to have it may get it again (P5).
          const doubled = receiver.duplicates.filter(
            ({ epoch, offset }) => !dropped || offset > (receiver.claimed.get(epoch) ?? -1),
          );
          expect(doubled).toEqual([]);
          for (const frame of receiver.updates) expect(produced).toContain(textOf(frame));
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
          if (receiver.fresh && kept && edge.log.records(receiver.path).length > 0)
            expect(receiver.updates, "the latest update").not.toEqual([]);
          const position = receiver.position ?? new Map();
          // What one of them has dropped leaves no trace where nobody had received it (R6).
          for (const { epoch, offset } of edge.log.records(receiver.path))
            if (edge.origins.every(({ index }) => index.horizonOf(epoch) <= offset))
              expect(position.get(epoch) ?? -1, `${receiver.path} ${epoch}`).toBeGreaterThanOrEqual(offset);
        }
      }),
      { numRuns: HISTORIES / 2, examples: [...ONCE_WRONG], ...CHANCE },
    );
    // The histories are of the kind that this is about.
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(50);
  },
  LONG_ENOUGH_MS,
);

/** What must hold whatever was forgotten. */
function expectNoLoss(edge: SimulatedEdge): void {
  expect(edge.problems).toEqual([]);
  const here = edge.receivers.filter(({ left }) => !left).map(({ path }) => path);
  expect(edge.watched()).toEqual(whoWatches([...new Set(here)].sort(), edge.slices()));
  for (const receiver of edge.receivers) {
    expect(receiver.violations).toEqual([]);
    expect(lossesOf(edge, receiver)).toEqual([]);
    // Who claims to have what an origin has dropped may get it again, or is ahead of its object in another partition (R6).
    const home = edge.log.epochs[homeOf(receiver.path, edge.log.epochs.length)];
    const isAtHome = edge.log.records(receiver.path).every(({ epoch }) => epoch === home);
    const doubled = receiver.duplicates.filter(
      ({ epoch, offset }) => isAtHome && offset > (receiver.claimed.get(epoch) ?? -1),
    );
    expect(doubled).toEqual([]);
    for (const frame of receiver.updates) expect(edge.log.produced).toContain(textOf(frame));
    expect(edge.isAwake(receiver.path)).toBe(false);
    if (!receiver.left) expect(receiver.answered).toBe(true);
  }
}

test(
  "[S3] [S5] [S6] [P5] [R1] [R3] [R6] [R7] [U5] whatever indexes, objects and the log forget, nobody is told that nothing is missing where something is",
  async () => {
    const seen = { updates: 0, recovered: 0, refused: 0, resets: 0, divided: 0, promotions: 0 };
    await fc.assert(
      fc.asyncProperty(forgettingSteps, fc.nat(), forgettings, async (history, seed, forgetting) => {
        const edge = await play(history, seed, forgetting);
        expectNoLoss(edge);
        seen.promotions += edge.promotions;
        seen.divided += edge.slices() > 1 ? 1 : 0;
        for (const receiver of edge.receivers) {
          seen.updates += receiver.updates.length;
          seen.resets += receiver.resets.length;
          seen.recovered += receiver.verdicts.filter(({ recovered }) => recovered === true).length;
          seen.refused += receiver.verdicts.filter(({ recovered }) => recovered === false).length;
        }
      }),
      { numRuns: HISTORIES / 2, ...CHANCE },
    );
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(50);
  },
  LONG_ENOUGH_MS,
);

test.each(FORGOTTEN)(
  "[R1] [R3] [S3] nobody is told that nothing is missing where %s",
  async (_, history, seed, forgetting) => {
    expectNoLoss(await play(history, seed, forgetting));
  },
);
