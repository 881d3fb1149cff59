/**
 * Which uplink should be a shard's active one: U12 and U13 of INTERNALS.md. Pure: time comes in.
 */
import { TIME_LIMITS } from "../../time-limits.ts";

/** Milliseconds since 1970. */
export interface Candidate {
  /** When it was last heard. */
  readonly heardAt: number;
  /** Since when it has said that it isn't ready; undefined while it is. */
  readonly unreadySince: number | undefined;
}

/** An uplink silent for this long is taken for dead; one not ready for this long may be replaced by one that is. */
const DEADLINE_MS = TIME_LIMITS.failoverMs;
/** The longest that an active one is given. */
const LONGEST_MS = TIME_LIMITS.failoverLongestMs;
/** A deadline that was long enough for so long is too long. */
const STEADY_MS = TIME_LIMITS.failoverSteadyMs;

export function isSilent({ heardAt }: Candidate, now: number, deadlineMs = DEADLINE_MS): boolean {
  return now - heardAt >= deadlineMs;
}

/** How an active one keeps its deadline. */
export type Health =
  /** It was heard in time, and is ready or may yet be in time. */
  | "well"
  /** It can be heard, but isn't ready. */
  | "late"
  /** It can't be heard, but was ready, or may yet have been in time. */
  | "silent"
  | "silentAndLate";

export function healthOf(active: Candidate, now: number, deadlineMs: number): Health {
  const late = isLate(active, now, deadlineMs);
  if (isSilent(active, now, deadlineMs)) return late ? "silentAndLate" : "silent";
  return late ? "late" : "well";
}

function isLate({ unreadySince }: Candidate, now: number, deadlineMs: number): boolean {
  return unreadySince !== undefined && now - unreadySince >= deadlineMs;
}

/** Those that can be heard, the first first. */
function alive<T extends Candidate>(standbys: readonly T[], now: number): readonly T[] {
  return standbys.filter((standby) => !isSilent(standby, now));
}

/** The first that is ready and can be heard, if any. */
export function firstReady<T extends Candidate>(standbys: readonly T[], now: number): T | undefined {
  return alive(standbys, now).find(({ unreadySince }) => unreadySince === undefined);
}

/**
 * How long an active uplink is given before another takes over. It is doubled if that turns out to have been too short: if the
 * one before could be heard, but wasn't ready, or if something comes from it after all. Otherwise two would take turns for ever
 * when a large value takes longer than that to arrive, or when they are ready by turns.
 */
export class Deadline<T> {
  #ms = DEADLINE_MS;
  #doubledAt = Number.NEGATIVE_INFINITY;
  /** Taken for dead at the last failover. */
  #silent: readonly T[] = [];

  at(now: number): number {
    return now - this.#doubledAt < STEADY_MS ? this.#ms : DEADLINE_MS;
  }

  /** Another one took over. `silent`: those that were taken for dead. `heard`: one of those before wasn't. */
  tookOver(now: number, silent: readonly T[], heard: boolean): void {
    this.#silent = silent;
    if (heard) this.#double(now);
  }

  /** Something came from one; nearly always from one that nobody ever took for dead. */
  heard(from: T, { now }: { now(): number }): void {
    if (this.#silent.length === 0 || !this.#silent.includes(from)) return;
    this.#silent = [];
    this.#double(now());
  }

  #double(now: number): void {
    this.#ms = Math.min(2 * this.at(now), LONGEST_MS);
    this.#doubledAt = now;
  }
}

/**
 * The standby that should be active instead, if any. `standbys`: the first comes first if nothing else tells
 * them apart. `deadlineMs` is the active one's.
 *
 * A silent active one that was ready keeps its role until a standby is ready: it may come back, and half an index
 * helps fewer.
 */
export function nextActive<T extends Candidate>(
  active: T | undefined,
  standbys: readonly T[],
  now: number,
  deadlineMs: number,
): T | undefined {
  const ready = firstReady(standbys, now);
  const [heard] = alive(standbys, now);
  if (active === undefined) return ready ?? heard ?? standbys[0];
  switch (healthOf(active, now, deadlineMs)) {
    case "well":
      return undefined;
    case "late":
    case "silent":
      return ready;
    case "silentAndLate":
      return ready ?? heard;
  }
}
