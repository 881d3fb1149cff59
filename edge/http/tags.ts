/** Entity tags, which are positions (H1, H2). Pure. */
import { tagsIn } from "../../shared/protocol/entity-tags.ts";
import { type Component, NOTHING, offsetIn, parseLongPosition } from "../../shared/protocol/position.ts";

/**
 * By the weak comparison that RFC 9110 asks for: a proxy may have made the tag weak, or put a suffix on it. A tag stands for the record that it
 * names: other components of a position move on while the latest record stays what it is.
 */
export function isNamed(ifNoneMatch: string | null, { epoch, offset }: Component): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return tagsIn(ifNoneMatch).some((tag) => offsetIn(parseLongPosition(tag) ?? NOTHING, epoch) === offset);
}
