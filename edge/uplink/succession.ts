/**
 * Which uplink should be a shard's active one: U12 and U13 of PROTOCOL.md. Pure: time comes in.
 */

/** Milliseconds since 1970. */
export interface Contender {
  /** When it was last heard. */
  readonly heardAt: number;
  /** Since when it has said that it isn't ready; undefined while it is. */
  readonly unreadySince: number | undefined;
}

/** Who is silent for so long is taken for dead; who isn't ready for so long may be replaced by one who is. */
const DEADLINE_MS = 3_000;
/** The longest that an active one is given. */
const LONGEST_MS = 30_000;
/** A grant that lasts so long has shown that the deadline is long enough. */
const STEADY_MS = 60_000;

export function isSilent({ heardAt }: Contender, now: number, deadlineMs = DEADLINE_MS): boolean {
  return now - heardAt >= deadlineMs;
}

/** Whether an active one has missed its deadline: by silence, or by not being ready. */
export function isOverdue(active: Contender, now: number, deadlineMs: number): boolean {
  return isSilent(active, now, deadlineMs) || isLate(active, now, deadlineMs);
}

function isLate({ unreadySince }: Contender, now: number, deadlineMs: number): boolean {
  return unreadySince !== undefined && now - unreadySince >= deadlineMs;
}

/** Those that can be heard, the first first. */
function alive<T extends Contender>(standbys: readonly T[], now: number): readonly T[] {
  return standbys.filter((standby) => !isSilent(standby, now));
}

/** The first that is ready and can be heard, if any. */
export function firstReady<T extends Contender>(standbys: readonly T[], now: number): T | undefined {
  return alive(standbys, now).find(({ unreadySince }) => unreadySince === undefined);
}

/**
 * What an active one is given before another takes over. Each time that happens it is doubled: where a large value
 * takes longer than that to arrive, or two are ready by turns, they must not take turns for ever.
 */
export class Deadline {
  #ms = DEADLINE_MS;
  #grantedAt = Number.NEGATIVE_INFINITY;

  at(now: number): number {
    return now - this.#grantedAt < STEADY_MS ? this.#ms : DEADLINE_MS;
  }

  /** `tookOver`: the one before was still connected. */
  granted(now: number, tookOver: boolean): void {
    const ms = this.at(now);
    this.#ms = tookOver ? Math.min(2 * ms, LONGEST_MS) : ms;
    this.#grantedAt = now;
  }
}

/**
 * The standby that should be active instead, if any. `standbys`: the first comes first where nothing else tells
 * them apart. `deadlineMs` is the active one's.
 *
 * A silent active one that was ready keeps its role until a standby is ready: it may come back, and half an index
 * helps fewer.
 */
export function successor<T extends Contender>(
  active: T | undefined,
  standbys: readonly T[],
  now: number,
  deadlineMs: number,
): T | undefined {
  const ready = firstReady(standbys, now);
  if (active === undefined) return ready ?? alive(standbys, now)[0] ?? standbys[0];
  if (ready !== undefined && isOverdue(active, now, deadlineMs)) return ready;
  // None of them is ready, but this one can be heard.
  const isLost = isSilent(active, now, deadlineMs) && isLate(active, now, deadlineMs);
  return isLost ? alive(standbys, now)[0] : undefined;
}
