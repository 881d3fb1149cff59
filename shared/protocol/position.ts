/**
 * Positions: rules P1–P6 of PROTOCOL.md.
 *
 * A position says how far a receiver is: one component `epoch:offset` for each offset space in which its
 * endpoint's key was seen, nearly always one. It reads "everything of this endpoint up to and including
 * this offset of that epoch has been received or was declared lost".
 */
import { LIMITS } from "./limits.ts";

/** epoch → offset. An epoch that is missing stands at −1: nothing of it was received. */
export type Position = ReadonlyMap<string, number>;

export const NOTHING: Position = new Map();

const COMPONENT = /^([A-Za-z0-9_.-]{1,32}):(0|[1-9][0-9]{0,15})$/;

/** The text form: components sorted by epoch and joined by commas; `-` when there are none. */
export function formatPosition(position: Position): string {
  if (position.size === 0) return "-";
  const components: string[] = [];
  for (const [epoch, offset] of position) components.push(`${epoch}:${offset}`);
  return components.length === 1 ? (components[0] ?? "") : components.sort().join(",");
}

/** undefined where the text is no position. Components in any order are read; a repeated epoch is not. */
export function parsePosition(text: string): Position | undefined {
  if (text === "-") return NOTHING;
  const parts = text.split(",", LIMITS.positionComponents + 1);
  if (parts.length > LIMITS.positionComponents) return undefined;
  const position = new Map<string, number>();
  for (const part of parts) {
    const component = parseComponent(part);
    if (component === undefined || position.has(component.epoch)) return undefined;
    position.set(component.epoch, component.offset);
  }
  return position;
}

/** One `epoch:offset`; undefined where the text is none. */
export function parseComponent(text: string): { epoch: string; offset: number } | undefined {
  const match = COMPONENT.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1] ?? "", offset } : undefined;
}

/** Whether everything received at `earlier` was also received at `later`. */
export function reaches(later: Position, earlier: Position): boolean {
  for (const [epoch, offset] of earlier) if ((later.get(epoch) ?? -1) < offset) return false;
  return true;
}

/** Component by component the later of the two. */
export function later(a: Position, b: Position): Map<string, number> {
  const merged = new Map(a);
  for (const [epoch, offset] of b) if (offset > (merged.get(epoch) ?? -1)) merged.set(epoch, offset);
  return merged;
}

export function samePosition(a: Position, b: Position): boolean {
  return a.size === b.size && reaches(a, b) && reaches(b, a);
}

/** `position` with one component set; −1 or undefined takes the component away. */
export function withComponent(position: Position, epoch: string, offset: number | undefined): Position {
  const changed = new Map(position);
  if (offset === undefined || offset < 0) changed.delete(epoch);
  else changed.set(epoch, offset);
  return changed;
}
