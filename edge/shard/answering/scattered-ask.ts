/** An ask of an object that was put to several slices, and whether what they have said is enough: N5 and N6. */
import type { Answer } from "../../../shared/core/answer.ts";
import { type Attach, type Attached, encodeAttach } from "../../../shared/protocol/attach.ts";
import { componentsOf, NOTHING, type Position, reaches } from "../../../shared/protocol/position.ts";
import { sliceOf } from "../../../shared/protocol/slice.ts";
import type { Watch } from "../links/links.ts";
import { speaksOfHome } from "./combine.ts";
import { type HeldBytes, HeldParts } from "./held-parts.ts";
import { Scatter } from "./scatter.ts";

export type AttachPart = Answer<Attached>;
/** By the number of their slice. */
export type Parts = ReadonlyMap<number, AttachPart>;

export interface ScatteredAsk {
  readonly watch: Watch;
  readonly ask: Attach;
  /** When it was asked, in milliseconds since 1970. */
  readonly at: number;
  readonly scatter: Scatter<AttachPart>;
  readonly held: HeldParts;
  /** What was passed on after its slice's part. */
  readonly passed: Map<string, number>;
  /** Whether the object was told to wait. */
  told: boolean;
}

export function newScatteredAsk(
  watch: Watch,
  ask: Attach,
  at: number,
  count: number,
  bytes: HeldBytes,
): ScatteredAsk {
  const scatter = new Scatter<AttachPart>(count);
  return { watch, ask, at, scatter, held: new HeldParts(bytes), passed: new Map(), told: false };
}

/**
 * The question to an origin. One that has been asked before is told how long its asker has waited: origins that have
 * patience in turn would otherwise never be done with it (R5).
 */
export function attachOf({ watch, ask, at }: ScatteredAsk, now = at): string {
  const waited = (ask.waited ?? 0) + Math.max(0, Math.floor(now - at));
  return encodeAttach(waited === 0 ? ask : { ...ask, waited }, watch.link.number);
}

/** Whether these parts can stand for the whole (N6). */
export function suffices({ watch, ask }: ScatteredAsk, parts: Parts, count: number): boolean {
  const all = [...parts.values()];
  if (all.every(({ head }) => head.notHome)) return false;
  const { sent } = watch;
  // An object that has nothing, and is told that nothing is missing, is told so of the home, too.
  const isClaim = all.every(({ head }) => head.verdict.recovered === true);
  if (ask.from?.size === 0 && isClaim && !all.some(speaksOfHome)) return false;
  // It wants the latest update, which may be one that the link was sent of a slice that is missing now.
  if (ask.from === undefined) return ofMissing(sent ?? NOTHING, parts, count).size === 0;
  // The first answer is to the object itself, whatever it has; what others name it need not have.
  if (sent === undefined) return ask.id === watch.asks.keys().next().value;
  // Of the slices that are missing nobody who asks may be ahead of the object, or behind it unless the answer moves them.
  const moves = all.some(({ frames }) => frames.length > 0);
  return (
    reaches(sent, ofMissing(ask.from, parts, count)) &&
    (moves || reaches(ask.from, ofMissing(sent, parts, count)))
  );
}

/** The components of slices that have no part. */
export function ofMissing(position: Position, parts: Parts, count: number): Map<string, number> {
  return componentsOf(position, (epoch) => !parts.has(sliceOf(epoch, count)));
}

/** The numbers of these slices. */
export function slicesWithout(parts: Parts, count: number): Set<number> {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  return new Set(all.filter((slice) => !parts.has(slice)));
}
