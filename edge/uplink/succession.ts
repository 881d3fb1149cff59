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
export const DEADLINE_MS = 3_000;

export function isSilent({ heardAt }: Contender, now: number): boolean {
  return now - heardAt >= DEADLINE_MS;
}

/**
 * The standby that should be active instead, if any. `standbys`: the first comes first where nothing else tells
 * them apart.
 *
 * A silent active one that was ready keeps its role until a standby is ready: it may come back, and half an index
 * helps fewer. Each change takes a deadline, so that two whose readiness comes and goes can't take turns any faster.
 */
export function successor<T extends Contender>(
  active: T | undefined,
  standbys: readonly T[],
  now: number,
): T | undefined {
  const alive = standbys.filter((standby) => !isSilent(standby, now));
  const ready = alive.find(({ unreadySince }) => unreadySince === undefined);
  if (active === undefined) return ready ?? alive[0] ?? standbys[0];
  const isLost = isSilent(active, now);
  const isLate = active.unreadySince !== undefined && now - active.unreadySince >= DEADLINE_MS;
  if (ready !== undefined && (isLost || isLate)) return ready;
  // None of them is ready, but this one can be heard.
  return isLost && isLate ? alive[0] : undefined;
}
