/**
 * Random histories of the whole edge: records, lost links, lost memory, subscribers that come from anywhere, one to
 * four origins of one slice or two that lag, stop, die, leave and come back, clocks that are set, in every order of delivery.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { isWhole } from "../../shared/protocol/slice.ts";
import { HISTORIES, SEED } from "../support/long.ts";
import { lossesOf } from "../support/losses.ts";
import { homeOf, type SimulatedEdge } from "../support/simulated-edge.ts";
import { textOf } from "../support/written-log.ts";
import { ONCE_WRONG } from "./simulation/examples.ts";
import { forgettingSteps, forgettings } from "./simulation/forgetting.ts";
import { FORGOTTEN } from "./simulation/forgotten.ts";
import { play } from "./simulation/play.ts";
import { steps } from "./simulation/steps.ts";

const LONG_ENOUGH_MS = 60_000 + HISTORIES * 200;

/** Nothing else is watched, noted, linked or forwarded, by the origin of each slice. */
function whoWatches(paths: readonly string[], slices: number) {
  const shard = [`${paths.length} endpoints`, `${paths.length} links`];
  const origins = paths.flatMap((path) => Array.from({ length: slices }, () => path));
  return { rows: paths, shard, objects: paths, origins };
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
        const isDivided = edge.origins.some(({ slice }) => !isWhole(slice));
        const { produced } = edge.log;
        seen.promotions += edge.promotions;
        for (const receiver of edge.receivers) {
          expect(receiver.violations).toEqual([]);
          // Where an origin has dropped what another one holds, who claims to have it may get it again (P5). Where slices are
          // gathered, what came live is held back for one answer and overtaken by another: who claimed to have it gets it then.
          const doubled = receiver.duplicates.filter(({ epoch, offset, had }) => {
            const isOvertaken = isDivided && !had;
            return !(dropped || isOvertaken) || offset > (receiver.claimed.get(epoch) ?? -1);
          });
          expect(doubled).toEqual([]);
          expect(receiver.updates.filter((frame) => !produced.has(textOf(frame)))).toEqual([]);
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
          const lacking = edge.log.records(receiver.path).filter(({ epoch, offset }) => {
            const isKept = edge.origins.every(({ index }) => index.horizonOf(epoch) <= offset);
            return isKept && offset > (position.get(epoch) ?? -1);
          });
          expect(lacking).toEqual([]);
        }
      }),
      { numRuns: HISTORIES / 2, examples: [...ONCE_WRONG], seed: SEED },
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
    expect(receiver.updates.filter((frame) => !edge.log.produced.has(textOf(frame)))).toEqual([]);
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
      { numRuns: HISTORIES / 2, seed: SEED },
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
