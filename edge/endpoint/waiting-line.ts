/**
 * Those who wait for more than their endpoint state holds, in the order in which their positions are asked for: R2 of
 * INTERNALS.md. Who waits at the same position waits for the same question.
 *
 * There are two lanes, each with places of its own: positions that the endpoint state has passed itself, and so the source once
 * held what follows them; and others, which can be made up at will. A question that the source holds (R5) gives up its
 * place: of each lane so many are held beside those that are asked. Past that it is taken back, and asked again in turn.
 */
import { type Position, reaches, sameEpochs } from "../../shared/protocol/position.ts";
import { openId, QUEUED, stepTheirs, type TheirEvent, type Theirs } from "./question-states.ts";
import type { OpenAsk } from "./state-facts.ts";
import type { Waiting } from "./subscription-states.ts";

const LANES = ["known", "other"] as const;
export type Lane = (typeof LANES)[number];

/** Questions of one lane that are open, those that are held among them. Both lanes and the state's own: `openAsks`. */
const OPEN_PER_LANE = 8;
const HELD_PER_LANE = 4;

/** Those who wait at one position. */
export interface Group<S> {
  /** The position as text; a text that is no position if there is none. */
  readonly key: string;
  readonly from: Position | undefined;
  readonly members: Map<S, Waiting>;
  /** When the last of them came, in milliseconds since 1970. */
  joinedAt: number;
  lane: Lane;
  question: Theirs;
  /** On whose behalf it is asked: the first of them that could be sent more. */
  asker: S | undefined;
}

export interface LinePorts<S> {
  laneOf(from: Position | undefined): Lane;
  /** Whether someone who waits can be sent more. */
  hasRoom(socket: S, waiting: Waiting): boolean;
  keyOf(from: Position | undefined): string;
}

export class WaitingLine<S> {
  readonly #ports: LinePorts<S>;
  readonly #groups = new Map<string, Group<S>>();
  readonly #groupOf = new Map<S, Group<S>>();
  /** Questions that are open, by id. */
  readonly #open = new Map<number, Group<S>>();
  /** Those who wait for a place, the first in line first. */
  readonly #queued = { known: new Set<Group<S>>(), other: new Set<Group<S>>() };
  readonly #tired = { known: new Set<Group<S>>(), other: new Set<Group<S>>() };
  /** Ids of questions for whose answers nobody waits any more. */
  #cancelled: number[] = [];
  /** Nobody can be asked for before something changes. */
  #isSettled = false;

  constructor(ports: LinePorts<S>) {
    this.#ports = ports;
  }

  /** Who waits; at another position than before at the end of the line. */
  join(socket: S, waiting: Waiting): void {
    const key = this.#ports.keyOf(waiting.from);
    const before = this.#groupOf.get(socket);
    if (before !== undefined && before.key !== key) this.leave(socket);
    const group = this.#groups.get(key) ?? this.#begin(key, waiting.from);
    group.members.set(socket, waiting);
    group.joinedAt = Math.max(group.joinedAt, waiting.since);
    this.#groupOf.set(socket, group);
    this.#isSettled = false;
  }

  leave(socket: S): void {
    const group = this.#groupOf.get(socket);
    if (group === undefined) return;
    this.#groupOf.delete(socket);
    group.members.delete(socket);
    if (group.members.size > 0) return;
    this.#groups.delete(group.key);
    this.#takeBack(group);
    this.#unplace(group);
  }

  of(socket: S): Group<S> | undefined {
    return this.#groupOf.get(socket);
  }

  /** Whose question has this id. */
  asked(id: number): Group<S> | undefined {
    return this.#open.get(id);
  }

  all(): Iterable<Group<S>> {
    return this.#groups.values();
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** Questions that are open. */
  *open(): Iterable<OpenAsk> {
    for (const [id, { from, question }] of this.#open) yield { id, from, held: question.kind === "held" };
  }

  /** Goes on after a hibernation with questions that were open then. */
  restore(asks: readonly OpenAsk[]): void {
    for (const { id, from, held } of asks) {
      const group = this.#groups.get(this.#ports.keyOf(from));
      if (group === undefined) this.#cancelled.push(id);
      else this.#place(group, { kind: held ? "held" : "asked", checked: false, id });
    }
    for (const group of this.#groups.values())
      if (
        openId(group.question) === undefined &&
        [...group.members.values()].some(({ kind }) => kind === "told")
      )
        this.#place(group, { kind: "tired", checked: false });
  }

  /** Those are to be taken back whose ids are all that is left of them. */
  cancel(ids: readonly number[]): void {
    this.#cancelled.push(...ids);
  }

  /** Ids of questions that are to be taken back (L8). */
  takeCancelled(): readonly number[] {
    const cancelled = this.#cancelled;
    if (cancelled.length > 0) this.#cancelled = [];
    return cancelled;
  }

  step(group: Group<S>, event: Exclude<TheirEvent, { kind: "waiting" }>): void {
    const question = stepTheirs(group.question, event);
    if (question !== group.question) this.#place(group, question);
  }

  /** The source holds a question. */
  hold(group: Group<S>): void {
    const hasRoom = this.#count(group.lane, "held") < HELD_PER_LANE;
    const question = stepTheirs(group.question, { kind: "waiting", hasRoom });
    if (question.kind === "tired") this.#takeBack(group);
    if (question !== group.question) this.#place(group, question);
  }

  /** `lost` on the link that the questions were asked on; `takesBack` where that is still there. */
  stepAll(event: TheirEvent & { kind: "lost" | "ownAnswered" }, takesBack = false): void {
    if (takesBack) for (const group of this.#open.values()) this.#takeBack(group);
    else if (event.kind === "lost") this.#cancelled = [];
    for (const group of [...this.#groups.values()]) this.step(group, event);
  }

  /** The endpoint state is somewhere else now: what it has passed may be other positions. */
  sort(): void {
    for (const group of [...this.#groups.values()]) {
      const lane = this.#ports.laneOf(group.from);
      if (lane === group.lane || openId(group.question) !== undefined) continue;
      this.#unplace(group);
      group.lane = lane;
      this.#place(group, group.question);
    }
  }

  /** Whose question has got a place; `id` is the one that it will have. */
  next(id: number): Group<S> | undefined {
    if (this.#isSettled) return undefined;
    for (const lane of LANES) {
      const group = this.#nextOf(lane, id);
      if (group !== undefined) return group;
    }
    // Of those who are too full nothing tells when they have room again.
    this.#isSettled = !this.#isAnyFull();
    return undefined;
  }

  #nextOf(lane: Lane, id: number): Group<S> | undefined {
    const open = this.#count(lane, "asked") + this.#count(lane, "held");
    // Those that were open when the object woke may all be of one lane by now.
    if (open >= OPEN_PER_LANE || this.#open.size >= OPEN_PER_LANE * LANES.length) return undefined;
    for (const group of this.#queued[lane]) {
      if (!this.#hasRoom(group)) continue;
      if (!this.#isCovered(group)) return group;
      group.question = stepTheirs(group.question, { kind: "passedOver", before: id });
    }
    if (this.#count(lane, "held") >= HELD_PER_LANE) return undefined;
    for (const group of this.#tired[lane]) if (this.#hasRoom(group)) return group;
    return undefined;
  }

  /**
   * Whether a question that is open may be answered with what this one would be. It waits for such once, and not for
   * those that come after it.
   */
  #isCovered({ lane, from, question }: Group<S>): boolean {
    const passed = (question.kind === "queued" ? question.passed : undefined) ?? Number.POSITIVE_INFINITY;
    for (const [id, other] of this.#open) {
      if (other.lane !== lane || other.question.kind !== "asked" || id >= passed) continue;
      if (from !== undefined && other.from !== undefined && isBefore(other.from, from)) return true;
    }
    return false;
  }

  /** Whether anyone waits for a place who can't be sent more just now. */
  #isAnyFull(): boolean {
    for (const lane of LANES)
      for (const groups of [this.#queued[lane], this.#tired[lane]])
        for (const group of groups) if (!this.#hasRoom(group)) return true;
    return false;
  }

  #hasRoom(group: Group<S>): boolean {
    for (const [socket, waiting] of group.members)
      if (this.#ports.hasRoom(socket, waiting)) {
        group.asker = socket;
        return true;
      }
    return false;
  }

  #count(lane: Lane, kind: "asked" | "held"): number {
    let count = 0;
    for (const group of this.#open.values()) if (group.lane === lane && group.question.kind === kind) count++;
    return count;
  }

  #begin(key: string, from: Position | undefined): Group<S> {
    const lane = this.#ports.laneOf(from);
    const members = new Map<S, Waiting>();
    const group: Group<S> = { key, from, members, joinedAt: 0, lane, question: QUEUED, asker: undefined };
    this.#groups.set(key, group);
    this.#place(group, QUEUED);
    return group;
  }

  #takeBack({ question }: Group<S>): void {
    const id = openId(question);
    if (id !== undefined) this.#cancelled.push(id);
  }

  #place(group: Group<S>, question: Theirs): void {
    this.#unplace(group);
    group.question = question;
    const id = openId(question);
    if (id !== undefined) this.#open.set(id, group);
    if (question.kind === "queued") this.#queued[group.lane].add(group);
    if (question.kind === "tired") this.#tired[group.lane].add(group);
    this.#isSettled = false;
  }

  #unplace(group: Group<S>): void {
    const id = openId(group.question);
    if (id !== undefined) this.#open.delete(id);
    this.#queued[group.lane].delete(group);
    this.#tired[group.lane].delete(group);
    this.#isSettled = false;
  }
}

/** Whether what follows a position includes what follows the other one. */
function isBefore(position: Position, other: Position): boolean {
  return sameEpochs(position, other) && reaches(other, position);
}
