/**
 * What is known of an endpoint: how far it is, the window before that, and the latest update, which
 * is kept apart because it outlives the window. Pure: time comes in.
 */

import { classify } from "../../shared/core/continuity.ts";
import { ownedFrame } from "../../shared/core/owned.ts";
import { decideResume, type Latest, type Resume, snapshotOf } from "../../shared/core/resume.ts";
import { type Floors, type Kept, Window, type WindowLimits } from "../../shared/core/window.ts";
import { type Frame, type Routing, routingOf } from "../../shared/protocol/frame.ts";
import {
  hasEpochsOf,
  NOTHING,
  offsetIn,
  type Position,
  raiseComponent,
  reaches,
  withComponent,
} from "../../shared/protocol/position.ts";

/** An update of which the head was read. */
export interface ReadUpdate extends Routing {
  readonly frame: Frame;
}

/** The body of an answer to an attach: it leads from `position` to `to`. */
export interface Span {
  readonly position: Position;
  readonly to: Position;
  /** Its epochs are those that the answer speaks of (U5): there nothing between the two ends is missing. */
  readonly horizon: Position;
  /** Whether the key's home is one of them. */
  readonly speaksOfHome: boolean;
  /** Read once, however many are served from them. */
  readonly updates: readonly ReadUpdate[];
  /** Whether all could be read. */
  readonly whole: boolean;
}

/** What of a replica survives when its memory is lost. */
export interface Facts {
  readonly position: Position | undefined;
  readonly latest: Frame | "none" | undefined;
  /** An answer led up to here, of which only a part has come. */
  readonly due: Position;
}

type Knowledge =
  /** Not even whether there is anything: that is for the first answer to say. */
  | { readonly kind: "nothing" }
  | {
      readonly kind: "something";
      readonly position: Map<string, number>;
      window: Window;
      latest: Latest | "none" | undefined;
      /** Where answers led that were but a page: what comes live before the next one may name no predecessor. */
      due: Position;
    };

export class Replica {
  readonly #limits: WindowLimits;
  #known: Knowledge;

  /** Starts from what survived. */
  constructor(limits: WindowLimits, facts: Facts, now: number) {
    this.#limits = limits;
    this.#known =
      facts.position === undefined ? { kind: "nothing" } : this.#restore(facts.position, facts, now);
  }

  /**
   * The latest update refills the window where it says which one was before it; the rest comes back from the origin's index
   * when somebody needs it.
   */
  #restore(at: Position, { latest: frame, due }: Facts, now: number): Knowledge {
    const position = new Map(at);
    const routing = frame === undefined || frame === "none" ? undefined : routingOf(frame);
    if (frame === undefined || routing === undefined) {
      const latest = frame === "none" ? frame : undefined;
      return { kind: "something", position, window: new Window(this.#limits, at, false), latest, due };
    }
    const chains = routing.previous !== undefined && at.get(routing.epoch) === routing.offset;
    const floors = chains ? withComponent(at, routing.epoch, routing.previous) : at;
    const window = new Window(this.#limits, floors, false);
    if (chains) window.push({ frame, ...routing }, now);
    return { kind: "something", position, window, latest: { frame, routing }, due };
  }

  /** undefined until the first answer from above. */
  get position(): Position | undefined {
    return this.#known.kind === "nothing" ? undefined : this.#known.position;
  }

  /** "none": the endpoint has no update to show. undefined: it has one, but it isn't in memory. */
  get latest(): Latest | "none" | undefined {
    return this.#known.kind === "nothing" ? undefined : this.#known.latest;
  }

  /**
   * Takes an update by the rule of continuity; everything is a gap before the first answer.
   * @param begin Where the answer begins of which it is: what names no predecessor may still have one before that.
   */
  apply(frame: Frame, routing: Routing, now: number, begin?: Position): "next" | "duplicate" | "gap" {
    const known = this.#known;
    if (known.kind === "nothing") return "gap";
    const { epoch, offset, previous = (begin ?? known.due).get(epoch) } = routing;
    const verdict = classify(known.position, { epoch, offset, previous });
    if (verdict !== "next") return verdict;
    known.position.set(routing.epoch, routing.offset);
    const kept = ownedFrame(frame);
    known.latest = { frame: kept, routing };
    known.window.push({ frame: kept, epoch: routing.epoch, offset: routing.offset }, now);
    return "next";
  }

  /** An answer led it on as far as a page goes; there is more up to here. */
  expect(head: Position): void {
    if (this.#known.kind === "something") this.#known.due = head;
  }

  /** Where that is, until it has come. */
  get due(): Position {
    const known = this.#known;
    if (known.kind === "nothing") return NOTHING;
    if (known.due.size > 0 && reaches(known.position, known.due)) known.due = NOTHING;
    return known.due;
  }

  /** Forgets everything and starts from an answer: continuity before it is not known, or was lost. */
  adopt(span: Span, now: number): void {
    const { updates, whole } = span;
    const window = new Window(this.#limits, floorsOf(span), whole && span.speaksOfHome);
    // Where it doesn't speak of all that it names, there may be one that it doesn't show.
    const latest = latestOf(span) ?? (hasEpochsOf(span.horizon, span.to) ? "none" : undefined);
    this.#known = { kind: "something", position: new Map(span.to), window, latest, due: NOTHING };
    if (whole) for (const update of updates) window.push(update, now);
  }

  /**
   * Learns what else an answer shows, once its updates were taken: one that leads up to the window makes it longer, one
   * that leads up to the position knows the latest update, should that not be in memory, and one that leads past it has
   * found nothing more on the way.
   * @param isOwn Whether it goes on from the position.
   */
  learn(span: Span, isOwn: boolean, now: number): void {
    const known = this.#known;
    if (known.kind === "nothing") return;
    const { position, window } = known;
    if (span.whole) advance(position, window, span);
    if (span.whole) window.prepend(longerFloors(span, window.floors), span.updates, now);
    if (span.whole && span.speaksOfHome) window.foundHome(span.horizon);
    if (isOwn && !span.speaksOfHome) window.lostHome();
    if (known.latest === undefined && reaches(span.to, position)) known.latest = latestOf(span);
  }

  /**
   * Another source goes on from this position. Of an epoch in which it names nothing that source need not speak, so what was
   * proved there before isn't any longer.
   */
  recall(): void {
    if (this.#known.kind === "something") this.#known.window.confine(this.#known.position);
  }

  get windowBytes(): number {
    return this.#known.kind === "nothing" ? 0 : this.#known.window.bytes;
  }

  /** From now on the window vouches for what comes after the position, and for no more. */
  forgetWindow(): void {
    if (this.#known.kind === "something")
      this.#known.window = new Window(this.#limits, this.#known.position, false);
  }

  /** Says that there is no latest update to be had, so that nobody waits for one. */
  giveUpLatest(): void {
    if (this.#known.kind === "something") this.#known.latest ??= "none";
  }

  decide(from: Position | undefined, now: number): Resume {
    const known = this.#known;
    if (known.kind === "nothing") return { kind: "ask" };
    known.window.expire(now);
    return decideResume(from, known);
  }

  /** What follows a position up to which an answer has proved all; undefined if the window doesn't reach back so far. */
  after(at: Position, now: number): Kept[] | undefined {
    const known = this.#known;
    if (known.kind === "nothing") return undefined;
    const { position, window } = known;
    window.expire(now);
    if (!window.reachesBack(at) || !reaches(position, at)) return undefined;
    return window.after(at);
  }

  /** Where a receiver that lost continuity begins. */
  snapshot(): Extract<Resume, { kind: "snapshot" }> {
    const position = this.position ?? NOTHING;
    return snapshotOf(position, this.latest) ?? { kind: "snapshot", position, frames: [], head: position };
  }
}

/** An answer that leads past where its endpoint is has found nothing more on the way. */
function advance(at: Map<string, number>, window: Window, { position, to, horizon }: Span): void {
  for (const epoch of horizon.keys()) {
    const here = offsetIn(at, epoch);
    const end = offsetIn(to, epoch);
    if (here < offsetIn(position, epoch)) continue;
    raiseComponent(at, epoch, end);
    window.begin(epoch, Math.max(here, end));
  }
}

/**
 * What a window may claim that begins with an answer. Where the answer speaks of an epoch, all that came after
 * its beginning; of any other it only says where it goes on.
 */
function floorsOf({ position, to, horizon, whole }: Span): Floors {
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

function latestOf({ updates }: Span): Latest | undefined {
  const update = updates.at(-1);
  return update && { frame: update.frame, routing: update };
}
