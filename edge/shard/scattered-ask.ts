/** What is known of an ask that was put to several slices, and whether that is enough: N5 and N6 of INTERNALS.md. */
import { type Attach, encodeAttach } from "../../shared/protocol/attach.ts";
import type { Frame, Routing } from "../../shared/protocol/frame.ts";
import { componentsOf, type Position, reaches } from "../../shared/protocol/position.ts";
import { sliceOf } from "../../shared/protocol/slice.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Part } from "./combine.ts";
import type { Watch } from "./links.ts";

/** How long a slice that says nothing is waited for, where another one can answer. */
export const SILENT_SLICE_MS = TIME_LIMITS.sliceSilentMs;

export interface ScatteredAsk {
  readonly watch: Watch;
  readonly ask: Attach;
  /** When it was asked, in milliseconds since 1970. */
  readonly at: number;
  /** By the number of the slice. */
  readonly parts: Map<number, Part>;
  /** Slices that have yet to answer, and are waited for. */
  readonly waitedFor: Set<number>;
  /** Slices whose parts were let go, since others must be waited for. */
  readonly dropped: Set<number>;
  /** Slices that are asked anew: they had answered before, and do so again though they say that it takes time (R7). */
  readonly again: Set<number>;
  /** Updates that came live after their slice's part. */
  liveAfter: { readonly slice: number; readonly frame: Frame; readonly routing: Routing }[];
  /** What was passed on after its slice's part. */
  readonly passed: Map<string, number>;
  /** Of parts and updates that are held. */
  bytes: number;
  told: boolean;
}

export function newScatteredAsk(watch: Watch, ask: Attach, at: number): ScatteredAsk {
  return {
    watch,
    ask,
    at,
    parts: new Map(),
    waitedFor: new Set(),
    dropped: new Set(),
    again: new Set(),
    liveAfter: [],
    passed: new Map(),
    bytes: 0,
    told: false,
  };
}

/**
 * The question to an origin. One that has been asked before is told how long its asker has waited: origins that have
 * patience in turn would otherwise never be done with it (R5).
 */
export function attachOf({ watch, ask, at }: ScatteredAsk, now = at): string {
  const waited = (ask.waited ?? 0) + Math.max(0, Math.floor(now - at));
  return encodeAttach(waited === 0 ? ask : { ...ask, waited }, watch.link.number);
}

/** Whether the parts that are there can stand for the whole (N6). */
export function suffices({ watch, ask, parts }: ScatteredAsk, count: number): boolean {
  const all = [...parts.values()];
  if (all.every(({ attached }) => attached.notHome)) return false;
  // The first answer is to the object itself, whatever it has.
  const { sent } = watch;
  if (ask.from === undefined || sent === undefined) return true;
  // Of the slices that are missing nobody who asks may be ahead of the object, or behind it unless the answer moves them.
  const moves = all.some(({ frames }) => frames.length > 0);
  return (
    reaches(sent, ofMissing(ask.from, parts, count)) &&
    (moves || reaches(ask.from, ofMissing(sent, parts, count)))
  );
}

/** The components of slices that have no part. */
export function ofMissing(position: Position, parts: ScatteredAsk["parts"], count: number): Position {
  return componentsOf(position, (epoch) => !parts.has(sliceOf(epoch, count)));
}
