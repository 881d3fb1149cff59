/**
 * Revocations that mean the same tokens, but for when these were issued: those of one subject, of one token, or of all. There
 * may be thousands, if somebody revokes again and again; a token is looked up in them by halving. Pure.
 */
import type { Revocation } from "../../shared/protocol/revocation.ts";

/** Tokens that were issued before a time, and by which revocation they have the least time left. */
interface Step {
  readonly before: number;
  readonly soonest: Revocation;
}

/** Of those that stood at a time. */
interface Folded {
  readonly at: number;
  /** By `before`, the earliest first. The soonest of each is that of all from there on. */
  readonly steps: readonly Step[];
}

export class SameMeaning {
  readonly #all = new Set<Revocation>();
  /** undefined when they have changed. */
  #folded: Folded | undefined;

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  add(revocation: Revocation): void {
    this.#all.add(revocation);
    this.#folded = undefined;
  }

  remove(revocation: Revocation): void {
    this.#all.delete(revocation);
    this.#folded = undefined;
  }

  /** Of those that mean a token which was issued at a time, in seconds, the one that leaves its sockets the least time. */
  of(issuedAt: number, now: number): Revocation | undefined {
    const found = find(this.#foldedAt(now, this.#folded), issuedAt);
    // That others have lapsed since changes nothing.
    if (found === undefined || found.until > now) return found;
    return find(this.#foldedAt(now), issuedAt);
  }

  #foldedAt(now: number, before?: Folded): Folded {
    // The clock may be set back.
    this.#folded = before === undefined || now < before.at ? fold(this.#all, now) : before;
    return this.#folded;
  }
}

function find({ steps }: Folded, issuedAt: number): Revocation | undefined {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.before ?? 0) > issuedAt) high = middle;
    else low = middle + 1;
  }
  return steps[low]?.soonest;
}

function fold(all: Iterable<Revocation>, now: number): Folded {
  const standing = [...all].filter(({ until }) => until > now);
  // The latest first: one that isn't sooner than those after it changes nothing.
  standing.sort((one, other) => beforeOf(other) - beforeOf(one) || endOf(one) - endOf(other));
  const steps: Step[] = [];
  for (const revocation of standing) {
    const later = steps.at(-1);
    if (later === undefined || endOf(revocation) < endOf(later.soonest))
      steps.push({ before: beforeOf(revocation), soonest: revocation });
  }
  return { at: now, steps: steps.reverse() };
}

/** One of a token's id means it whenever it was issued. */
function beforeOf({ meant }: Revocation): number {
  return meant.of === "token" ? Number.POSITIVE_INFINITY : meant.before;
}

/** Until when a socket that it means may be renewed. */
export function endOf({ madeAt, graceMs }: Revocation): number {
  return madeAt + graceMs;
}
