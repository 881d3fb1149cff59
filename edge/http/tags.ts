/** Entity tags, which are positions (H1, H2). Pure. */
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

/** Positions contain commas, so the tags can't be told apart by these. What a proxy has put behind a position is left out. */
export function tagsIn(ifNoneMatch: string): string[] {
  return [...ifNoneMatch.matchAll(/"([^"]*)"/g)].map(([, tag = ""]) => SUFFIXED.exec(tag)?.[1] ?? tag);
}

/** As in `"e.0:7-gzip"`: proxies that compress say by which coding. A position ends with a digit, or is `-`. */
const SUFFIXED = /^(.*:\d+|-)[-;+_.]+[A-Za-z]\w*$/;
