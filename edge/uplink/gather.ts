/** What is known of an ask that was put to several ranges, and whether that is enough: N5 and N6 of PROTOCOL.md. */
import { type Attach, encodeAttach } from "../../shared/protocol/attach.ts";
import type { Frame, Routing } from "../../shared/protocol/frame.ts";
import { type Position, reaches } from "../../shared/protocol/position.ts";
import { rangeOf } from "../../shared/protocol/range.ts";
import type { Part } from "./combine.ts";
import type { Watch } from "./links.ts";

export interface Gather {
  readonly watch: Watch;
  readonly ask: Attach;
  /** When it was asked, in milliseconds since 1970. */
  readonly at: number;
  /** By the number of the range. */
  readonly parts: Map<number, Part>;
  /** Ranges that have yet to answer, and are waited for. */
  readonly waitedFor: Set<number>;
  /** Ranges whose parts were let go, since others must be waited for. */
  readonly dropped: Set<number>;
  /** Ranges that are asked anew: they had answered before, and do so again though they say that it takes time (R7). */
  readonly again: Set<number>;
  /** Updates that came live after their range's part. */
  held: { readonly range: number; readonly frame: Frame; readonly routing: Routing }[];
  /** What was passed on after its range's part. */
  readonly passed: Map<string, number>;
  /** Of parts and updates that are held. */
  bytes: number;
  told: boolean;
}

export function newGather(watch: Watch, ask: Attach, at: number): Gather {
  return {
    watch,
    ask,
    at,
    parts: new Map(),
    waitedFor: new Set(),
    dropped: new Set(),
    again: new Set(),
    held: [],
    passed: new Map(),
    bytes: 0,
    told: false,
  };
}

/**
 * The question to an origin. One that has been asked before is told how long its asker has waited: origins that have
 * patience in turn would otherwise never be done with it (R5).
 */
export function attachOf({ watch, ask, at }: Gather, now = at): string {
  const waited = (ask.waited ?? 0) + Math.max(0, Math.floor(now - at));
  return encodeAttach(waited === 0 ? ask : { ...ask, waited }, watch.link.number);
}

/** Whether the parts that are there can stand for the whole (N6). */
export function suffices({ watch, ask, parts }: Gather, count: number): boolean {
  const all = [...parts.values()];
  if (all.every(({ attached }) => attached.elsewhere)) return false;
  // The first answer is to the object itself, whatever it has.
  const { sent } = watch;
  if (ask.from === undefined || sent === undefined) return true;
  // Of the ranges that are missing nobody who asks may be ahead of the object, or behind it unless the answer moves them.
  const moves = all.some(({ frames }) => frames.length > 0);
  return (
    reaches(sent, ofMissing(ask.from, parts, count)) &&
    (moves || reaches(ask.from, ofMissing(sent, parts, count)))
  );
}

/** The components of ranges that have no part. */
export function ofMissing(position: Position, parts: Gather["parts"], count: number): Position {
  return new Map([...position].filter(([epoch]) => !parts.has(rangeOf(epoch, count))));
}

/** A view would keep its whole message. */
export function own(frame: Frame): Frame {
  return typeof frame === "string" ? frame : frame.slice();
}
