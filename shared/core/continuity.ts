/**
 * The rule on which everything stands: P5 of PROTOCOL.md.
 *
 * Offsets of one key are sparse, so `offset + 1` proves nothing. Each update names its predecessor on its
 * endpoint; a receiver compares that with where it is.
 */
import { type Component, offsetIn, type Position } from "../protocol/position.ts";

/** What continuity needs to know of an update. */
export interface Chained extends Component {
  /** Offset of the record before it on its endpoint in the same epoch; undefined where there is none known. */
  readonly previous: number | undefined;
}

/**
 * - `next`: nothing lies between the receiver and this update; take it.
 * - `duplicate`: it was received before; drop it.
 * - `gap`: something is missing in between; ask again from the receiver's position.
 *
 * By order and not by equality, since two origins may know different predecessors of one record.
 */
export function classify(position: Position, update: Chained): "next" | "duplicate" | "gap" {
  const at = offsetIn(position, update.epoch);
  if (update.offset <= at) return "duplicate";
  return (update.previous ?? -1) <= at ? "next" : "gap";
}
