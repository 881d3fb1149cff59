/**
 * What is known of an endpoint: how far it is, the window before that, and the latest update, which
 * is kept apart because it outlives the window. Pure: time comes in.
 */

import { classify } from "../../shared/core/continuity.ts";
import { ownedFrame } from "../../shared/core/owned.ts";
import { decideResume, type Known, type Latest, type Resume, snapshotOf } from "../../shared/core/resume.ts";
import { type Floors, type Kept, Window, type WindowLimits } from "../../shared/core/window.ts";
import { type Frame, type Routing, routingOf } from "../../shared/protocol/frame.ts";
import { NOTHING, offsetIn, type Position, reaches, withComponent } from "../../shared/protocol/position.ts";

/** The body of an answer to an attach: it leads from `position` to `to`. */
export interface Span {
  readonly position: Position;
  readonly to: Position;
  /** Its epochs are those that the answer speaks of (U5): there nothing between the two ends is missing. */
  readonly horizon: Position;
  readonly frames: readonly Frame[];
}

/** What of a replica survives when its memory is lost. */
export interface Facts {
  readonly position: Position | undefined;
  readonly latest: Frame | "none" | undefined;
  /** An answer led up to here, of which only a part has come. */
  readonly due: Position;
}

export class Replica implements Known {
  readonly #limits: WindowLimits;
  #position: Map<string, number> | undefined;
  #window: Window;
  #latest: Latest | "none" | undefined;
  /** Where answers led that were but a page: what comes live before the next one may name no predecessor. */
  #due: Position;

  /**
   * Starts from what survived. The latest update refills the window where it says which one was before it;
   * the rest comes back from the origin's index when somebody needs it.
   */
  constructor(limits: WindowLimits, facts: Facts, now: number) {
    this.#limits = limits;
    this.#position = facts.position && new Map(facts.position);
    this.#due = facts.due;
    const frame = facts.latest;
    const routing = frame === undefined || frame === "none" ? undefined : routingOf(frame);
    this.#latest = routing === undefined || frame === undefined ? undefined : { frame, routing };
    if (frame === "none") this.#latest = "none";
    const position = facts.position ?? new Map();
    const chains = routing?.previous !== undefined && position.get(routing.epoch) === routing.offset;
    this.#window = new Window(
      limits,
      chains ? withComponent(position, routing.epoch, routing.previous) : position,
    );
    if (chains && frame !== undefined) this.#window.push({ frame, ...routing }, now);
  }

  get position(): Position | undefined {
    return this.#position;
  }

  get window(): Window {
    return this.#window;
  }

  get latest(): Latest | "none" | undefined {
    return this.#latest;
  }

  /**
   * Takes an update by the rule of continuity; everything is a gap before the first answer.
   * @param begin Where the answer begins of which it is: what names no predecessor may still have one before that.
   */
  apply(frame: Frame, routing: Routing, now: number, begin?: Position): "next" | "duplicate" | "gap" {
    if (this.#position === undefined) return "gap";
    const { epoch, offset, previous = (begin ?? this.#due).get(epoch) } = routing;
    const verdict = classify(this.#position, { epoch, offset, previous });
    if (verdict !== "next") return verdict;
    this.#position.set(routing.epoch, routing.offset);
    const kept = ownedFrame(frame);
    this.#latest = { frame: kept, routing };
    this.#window.push({ frame: kept, epoch: routing.epoch, offset: routing.offset }, now);
    return "next";
  }

  /** Its own question was answered as far as a page goes; there is more up to here. */
  expect(head: Position): void {
    this.#due = head;
  }

  /** Where that is, until it has come. */
  get due(): Position {
    if (this.#due.size > 0 && reaches(this.#position ?? NOTHING, this.#due)) this.#due = NOTHING;
    return this.#due;
  }

  /** Forgets everything and starts from an answer: continuity before it is not known, or was lost. */
  adopt(span: Span, now: number): void {
    const kept = readSpan(span);
    this.#position = new Map(span.to);
    this.#latest = kept.latest ?? "none";
    this.#due = NOTHING;
    this.#window = new Window(this.#limits, floorsOf(span, kept.whole));
    if (kept.whole) for (const entry of kept.entries) this.#window.push(entry, now);
  }

  /**
   * Learns what else an answer shows, once its updates were taken: one that leads up to the window makes it longer, one
   * that leads up to the position knows the latest update, should that not be in memory, and one that leads past it has
   * found nothing more on the way.
   */
  learn(span: Span, now: number): void {
    if (this.#position === undefined) return;
    const kept = readSpan(span);
    if (kept.whole) this.#advance(span, this.#position);
    if (kept.whole) this.#window.prepend(longerFloors(span, this.#window.floors), kept.entries, now);
    if (this.#latest === undefined && reaches(span.to, this.#position)) this.#latest = kept.latest;
  }

  #advance({ position, to, horizon }: Span, at: Map<string, number>): void {
    for (const epoch of horizon.keys()) {
      const here = offsetIn(at, epoch);
      const end = offsetIn(to, epoch);
      if (here < offsetIn(position, epoch)) continue;
      if (here < end) at.set(epoch, end);
      this.#window.begin(epoch, Math.max(here, end));
    }
  }

  /** Says that there is no latest update to be had, so that nobody waits for one. */
  giveUpLatest(): void {
    this.#latest ??= "none";
  }

  decide(from: Position | undefined, now: number): Resume {
    this.#window.expire(now);
    return decideResume(from, this);
  }

  /** Where a receiver that lost continuity begins. */
  snapshot(): Extract<Resume, { kind: "snapshot" }> {
    const position = this.#position ?? new Map();
    return snapshotOf(position, this.#latest) ?? { kind: "snapshot", position, frames: [], head: position };
  }
}

/**
 * What a window may claim that begins with an answer. Where the answer speaks of an epoch, all that came after
 * its beginning; of any other it only says where it goes on.
 */
function floorsOf({ position, to, horizon }: Span, whole: boolean): Floors {
  const floors = new Map(to);
  if (whole) for (const epoch of horizon.keys()) floors.set(epoch, offsetIn(position, epoch));
  return floors;
}

/** The floors that an answer lowers: it leads up to them, or past them, without a hole. */
function longerFloors({ position, to, horizon }: Span, floors: Floors): Floors {
  const longer = new Map<string, number>();
  for (const epoch of horizon.keys()) {
    const floor = floors.get(epoch);
    const begin = offsetIn(position, epoch);
    if (floor !== undefined && begin < floor && floor <= offsetIn(to, epoch)) longer.set(epoch, begin);
  }
  return longer;
}

/** The updates of a span; not `whole` where one of its frames can't be read. */
function readSpan(span: Span): { entries: Kept[]; latest: Latest | undefined; whole: boolean } {
  const entries: Kept[] = [];
  let latest: Latest | undefined;
  for (const frame of span.frames) {
    const routing = routingOf(frame);
    if (routing === undefined) continue;
    entries.push({ frame, epoch: routing.epoch, offset: routing.offset });
    latest = { frame, routing };
  }
  return { entries, latest, whole: entries.length === span.frames.length };
}
