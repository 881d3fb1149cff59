/** Entity tags, which are positions (H1, H2). Pure. */
import { type Component, NOTHING, offsetIn, parseLongPosition } from "../../shared/protocol/position.ts";

/**
 * By the weak comparison that RFC 9110 asks for: a proxy may have made the tag weak. A tag stands for the record that it
 * names: other components of a position move on while the latest record stays what it is.
 */
export function isNamed(ifNoneMatch: string | null, { epoch, offset }: Component): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return tagsIn(ifNoneMatch).some((tag) => offsetIn(parseLongPosition(tag) ?? NOTHING, epoch) === offset);
}

/** Positions contain commas, so the tags can't be told apart by these. */
export function tagsIn(ifNoneMatch: string): string[] {
  return [...ifNoneMatch.matchAll(/"([^"]*)"/g)].map(([, tag = ""]) => tag);
}
