/**
 * The requests by which comes what is followed (E7, E8): which endpoint comes by which, when they are made anew, and when one of them
 * has been silent for too long. Pure: the shell makes and aborts them.
 */
import { CLIENT_LIMITS } from "../../protocol/client-limits.ts";
import type { HttpMode } from "./http-terms.ts";
import { type Member, queryOf, STREAMS, type Stream, shareOut } from "./members.ts";

/** Of a stream nothing has come for so long: it is gone (E5). */
const SILENT_MS = 30_000;
/** Its beginning hasn't come for so long: something on its way waits for its end. */
export const HELD_BACK_MS = 6_000;
/** The longest that a poll waits, and how much longer its answer may take. */
export const POLL_MS = 25_000;
const POLL_LATE_MS = 20_000;
/** What is said of subscriptions is waited for so long, so that it becomes one request; an end can wait longer. */
const SETTLE_MS = 20;
const SETTLE_END_MS = 1_000;
/** Polls of which nothing comes aren't made more often than this. */
const IDLE_POLL_MS = 1_000;

export interface ArrangementPorts {
  open(stream: number, query: string): void;
  abort(stream: number): void;
  /** There is no place for it. */
  left(member: Member): void;
}

export class Arrangement {
  readonly #ports: ArrangementPorts;
  #mode: HttpMode;
  readonly #members = new Map<string, Member>();
  #streams: Stream[] = [];
  #names = 0;
  /** When requests are made for what has changed; undefined: nothing has. */
  #dueAt: number | undefined;

  constructor(mode: HttpMode, ports: ArrangementPorts) {
    this.#mode = mode;
    this.#ports = ports;
  }

  /** In place of what there was of this endpoint. */
  add(member: Member, now: number): void {
    this.#members.set(member.path, member);
    this.#within(SETTLE_MS, now);
  }

  remove(path: string, now: number): void {
    if (this.#members.delete(path)) this.#within(SETTLE_END_MS, now);
  }

  /** What nothing is to come of any more. */
  dismiss({ path }: Member): void {
    this.#members.delete(path);
  }

  named(name: number): Stream | undefined {
    return this.#streams.find((stream) => stream.name === name);
  }

  memberOf({ name }: Stream, path: string): Member | undefined {
    const member = this.#members.get(path);
    return member?.stream === name ? member : undefined;
  }

  heard(stream: Stream, now: number): void {
    if (now - stream.openedAt > HELD_BACK_MS) stream.isAlive = true;
    stream.heardAt = now;
  }

  /** One that ended as it was to. */
  goOn(stream: Stream, now: number): void {
    // One that only waited isn't made again sooner than it may take.
    const isIdle = now - stream.openedAt < IDLE_POLL_MS && (stream.waitMs ?? 0) > 0;
    this.#redo([stream], now, isIdle ? IDLE_POLL_MS : 0);
  }

  /** A request is made anew for what comes by this one. */
  redo(stream: Stream, now: number): void {
    this.#redo([stream], now);
  }

  redoAll(now: number): void {
    this.#redo(this.#streams, now);
  }

  /**
   * Looks what is to be done by now. `silent`: one has said nothing for too long. `polls`: nothing of one came, or its beginning
   * alone, so from now on what follows comes by polls.
   */
  look(now: number): "silent" | "polls" | undefined {
    const late = this.#streams.find((stream) => now >= dueAt(stream));
    if (late !== undefined && (this.#mode === "poll" || late.isAlive)) return "silent";
    if (late !== undefined) {
      this.#mode = "poll";
      this.redoAll(now);
    }
    if (this.#dueAt !== undefined && this.#dueAt <= now) this.#arrange(now);
    return late && "polls";
  }

  /** When to look again; undefined: there is nothing to look at. */
  get nextAt(): number | undefined {
    const next = Math.min(this.#dueAt ?? Number.POSITIVE_INFINITY, ...this.#streams.map(dueAt));
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  end(): void {
    this.#take(this.#streams);
  }

  #redo(streams: readonly Stream[], now: number, afterMs = 0): void {
    this.#take(streams);
    this.#within(afterMs, now);
  }

  #within(ms: number, now: number): void {
    this.#dueAt = Math.min(this.#dueAt ?? Number.POSITIVE_INFINITY, now + ms);
  }

  #take(streams: readonly Stream[]): void {
    for (const { name, members } of streams) {
      this.#ports.abort(name);
      for (const member of members) if (member.stream === name) member.stream = undefined;
    }
    this.#streams = this.#streams.filter((stream) => !streams.includes(stream));
  }

  /** As many as have room come by the streams that there are; those are made anew, each from where it is. */
  #arrange(now: number): void {
    this.#dueAt = undefined;
    // Of those that go on without something that isn't followed any more, too.
    const stale = this.#streams.filter(({ name, members }) =>
      members.some((member) => !this.#isIn(member, name)),
    );
    const waiting = [...this.#members.values()].some(({ stream }) => stream === undefined);
    this.#take(waiting ? this.#withRoom(stale) : stale);
    const loose = [...this.#members.values()].filter(({ stream }) => stream === undefined);
    const { groups, left } = shareOut(loose, STREAMS - this.#streams.length);
    for (const group of groups) this.#open(group, now);
    for (const member of left) this.#ports.left(member);
  }

  /** Beside these one that has room. */
  #withRoom(stale: readonly Stream[]): readonly Stream[] {
    const roomy = this.#streams.find(
      (stream) => !stale.includes(stream) && stream.members.length < CLIENT_LIMITS.streamEndpoints,
    );
    return roomy === undefined ? stale : [...stale, roomy];
  }

  #open(members: readonly Member[], now: number): void {
    const name = ++this.#names;
    const isAnswered = members.every(({ state }) => state !== "asked");
    const waitMs = this.#mode === "events" ? undefined : isAnswered ? POLL_MS : 0;
    this.#streams.push({ name, members, waitMs, openedAt: now, heardAt: undefined, isAlive: false });
    for (const member of members) member.stream = name;
    this.#ports.open(name, queryOf(members, waitMs));
  }

  #isIn(member: Member, name: number): boolean {
    return this.#members.get(member.path) === member && member.stream === name;
  }
}

/** When something is wrong with it, unless something comes. */
function dueAt({ openedAt, heardAt, waitMs }: Stream): number {
  if (waitMs !== undefined) return openedAt + waitMs + POLL_LATE_MS;
  return heardAt === undefined ? openedAt + HELD_BACK_MS : heardAt + SILENT_MS;
}
