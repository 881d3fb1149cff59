/**
 * The rule on which everything stands: P5 of PROTOCOL.md.
 *
 * Offsets of one key are sparse, so `offset + 1` proves nothing. Each update names its predecessor on its
 * endpoint; a receiver compares that with where it is.
 */
import { type Chained, offsetIn, type Position } from "../protocol/position.ts";

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
