/**
 * How a subscriber that comes, or comes back, is answered from what an object knows: S3, R1 and R2 of
 * PROTOCOL.md. A partial replay would look like success and hide a gap, so only full coverage replays.
 */
import type { Frame, Routing } from "../protocol/frame.ts";
import { afterTaking, type Position, reaches, withComponent } from "../protocol/position.ts";
import type { Window } from "./window.ts";

export interface Latest {
  readonly frame: Frame;
  readonly routing: Routing;
}

/** What an object knows of its endpoint. */
export interface Known {
  /** undefined until the first answer from above. */
  readonly position: Position | undefined;
  readonly window: Window;
  /** "none": the endpoint has no update to show. undefined: it has one, but it isn't in memory. */
  readonly latest: Latest | "none" | undefined;
}

interface Following {
  readonly frames: readonly Frame[];
  /**
   * Where they lead. Not the object's position: that may have moved past offsets at which this endpoint has no
   * record, and no update would ever take a receiver there.
   */
  readonly head: Position;
}

export type Resume =
  /** Begin just before the latest update, which follows (if there is one). */
  | ({ readonly kind: "snapshot"; readonly position: Position } & Following)
  /** Nothing after `from` is missing: these frames follow it. */
  | ({ readonly kind: "replay" } & Following)
  /** Only the origin can tell. */
  | { readonly kind: "ask" };

/** The window must have been expired to the present. */
export function decideResume(from: Position | undefined, known: Known): Resume {
  const { position, window } = known;
  if (position === undefined) return { kind: "ask" };
  if (from === undefined) return snapshotOf(position, known.latest) ?? { kind: "ask" };
  if (!window.covers(from) || !reaches(position, from)) return { kind: "ask" };
  const kept = window.after(from);
  return { kind: "replay", frames: kept.map(({ frame }) => frame), head: afterTaking(from, kept) };
}

/** undefined if the latest update isn't in memory. */
export function snapshotOf(
  position: Position,
  latest: Known["latest"],
): Extract<Resume, { kind: "snapshot" }> | undefined {
  if (position.size === 0 || latest === "none")
    return { kind: "snapshot", position, frames: [], head: position };
  if (latest === undefined) return undefined;
  const { epoch, offset, previous } = latest.routing;
  // Where no record before it is known, there may have been some: a newcomer is told that they are lost to it.
  const before = withComponent(position, epoch, previous ?? offset - 1);
  return {
    kind: "snapshot",
    position: before,
    frames: [latest.frame],
    head: withComponent(position, epoch, offset),
  };
}
