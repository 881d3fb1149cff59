/**
 * Positions, their text form and all that is reckoned with them: rules P1–P6 of PROTOCOL.md.
 *
 * A position says how far a receiver is: one component `epoch:offset` for each offset space in which its
 * endpoint's key was seen, nearly always one. It reads "everything of this endpoint up to and including
 * this offset of that epoch has been received or was declared lost".
 */
import { CLIENT_LIMITS } from "./client-limits.ts";

/** epoch → offset. An epoch that is missing stands at −1: nothing of it was received. */
export type Position = ReadonlyMap<string, number>;

/** A place in one epoch. */
export interface Component {
  readonly epoch: string;
  readonly offset: number;
}

/** What continuity needs to know of an update. */
export interface Chained extends Component {
  /** Offset of the record before it on its endpoint in the same epoch; undefined if there is none known. */
  readonly previous: number | undefined;
}

export const NOTHING: Position = new Map();

/** In place of a position, where a subscription begins: from where on the source can prove what came (S16). */
export const OLDEST = "oldest";

/** Where a subscription begins; undefined: with the latest update. */
export type Start = Position | typeof OLDEST | undefined;

const COMPONENT = /^([A-Za-z0-9_.-]{1,32}):(0|[1-9][0-9]{0,15})$/;

/** As it is written in a URL or in a frame. */
export function formatStart(start: Start): string | undefined {
  return start === OLDEST || start === undefined ? start : formatPosition(start);
}

/** What a client wrote; undefined if it is neither. */
export function parseStart(text: string): Start {
  return text === OLDEST ? OLDEST : parsePosition(text);
}

/** The text form: components sorted by epoch and joined by commas; `-` when there are none. */
export function formatPosition(position: Position): string {
  if (position.size === 0) return "-";
  const components: string[] = [];
  for (const [epoch, offset] of position) {
    const component = `${epoch}:${offset}`;
    if (position.size === 1) return component;
    components.push(component);
  }
  return components.sort().join(",");
}

/**
 * Reads what a client says: undefined if the text is no position, or one of too many components. Components in any
 * order are read; a repeated epoch is not.
 */
export function parsePosition(text: string): Position | undefined {
  const parts = text.split(",", CLIENT_LIMITS.positionComponents + 1);
  return parts.length > CLIENT_LIMITS.positionComponents ? undefined : parseLongPosition(text);
}

/**
 * Reads what an origin, a shard or an object says: a key can live in more partitions than a client may name, and nobody
 * who says where it stands there counts them first. Its message bounds it.
 */
export function parseLongPosition(text: string): Position | undefined {
  if (text === "-") return NOTHING;
  const parts = text.split(",");
  const position = new Map<string, number>();
  for (const part of parts) {
    const component = parseComponent(part);
    if (component === undefined || position.has(component.epoch)) return undefined;
    position.set(component.epoch, component.offset);
  }
  return position;
}

/** One `epoch:offset`; undefined if the text is none. */
export function parseComponent(text: string): Component | undefined {
  const match = COMPONENT.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1] ?? "", offset } : undefined;
}

/** Where a position stands in an epoch. */
export function offsetIn(position: Position, epoch: string): number {
  return position.get(epoch) ?? -1;
}

/** Whether a record lies after a position, so that who stands there has yet to get it. */
export function isAfter({ epoch, offset }: Component, position: Position): boolean {
  return offset > offsetIn(position, epoch);
}

/** Whether everything received at `earlier` was also received at `later`. */
export function reaches(later: Position, earlier: Position): boolean {
  for (const [epoch, offset] of earlier) if (offsetIn(later, epoch) < offset) return false;
  return true;
}

export function samePosition(a: Position, b: Position): boolean {
  return a.size === b.size && reaches(a, b) && reaches(b, a);
}

/** Whether a position names each epoch of another one. */
export function hasEpochsOf(position: Position, other: Position): boolean {
  for (const epoch of other.keys()) if (!position.has(epoch)) return false;
  return true;
}

export function sameEpochs(a: Position, b: Position): boolean {
  return a.size === b.size && hasEpochsOf(a, b);
}

/** Component by component the later of the two. */
export function later(a: Position, b: Position): Map<string, number> {
  const both = new Map(a);
  raise(both, b);
  return both;
}

/** Component by component the lower of the two, as far as both name an epoch: what was received at both. */
export function lower(a: Position, b: Position): Map<string, number> {
  const both = new Map<string, number>();
  for (const [epoch, offset] of a) if (b.has(epoch)) both.set(epoch, Math.min(offset, offsetIn(b, epoch)));
  return both;
}

/** Changes a position to be component by component at least as far as another one. */
export function raise(position: Map<string, number>, other: Position): void {
  for (const [epoch, offset] of other) raiseComponent(position, epoch, offset);
}

export function raiseComponent(position: Map<string, number>, epoch: string, offset: number): void {
  if (offset > offsetIn(position, epoch)) position.set(epoch, offset);
}

/** Changes a position to be another one in that one's epochs, whether that is further on or not. */
export function merge(position: Map<string, number>, other: Position): void {
  for (const [epoch, offset] of other) position.set(epoch, offset);
}

/** Where a receiver is that takes these in turn. */
export function afterTaking(position: Position, taken: Iterable<Component>): Map<string, number> {
  const at = new Map(position);
  for (const { epoch, offset } of taken) at.set(epoch, offset);
  return at;
}

/** The components whose epochs are chosen. */
export function componentsOf(position: Position, isChosen: (epoch: string) => boolean): Map<string, number> {
  return new Map([...position].filter(([epoch]) => isChosen(epoch)));
}

/** `position` with one component set; −1 or undefined takes the component away. */
export function withComponent(position: Position, epoch: string, offset: number | undefined): Position {
  const changed = new Map(position);
  if (offset === undefined || offset < 0) changed.delete(epoch);
  else changed.set(epoch, offset);
  return changed;
}
