/**
 * Whoever has asked for keys without a record again and again: L16 of INTERNALS.md. Its subscribes go to rooms at once for a
 * while, so that objects of keys that it makes up aren't even made. In memory only, of this isolate.
 */
import { Bucket, type Rate } from "../access/rate.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import type { Sender } from "./sender.ts";

/** Past that it is taken for one that makes keys up. People behind one address rarely do so together. */
const MISSES: Rate = { perSecond: 1, burst: 60 };
/** Those that are remembered. */
const MOST = 10_000;

interface Seen {
  readonly misses: Bucket;
  /** It is one until then. */
  until: number;
}

export class Guessers {
  readonly #seen = new Map<string, Seen>();

  has({ key }: Sender, now: number): boolean {
    return now < (this.#seen.get(key)?.until ?? 0);
  }

  /** A subscribe of it was led to a room. */
  missed({ key, isOwn }: Sender, now: number): void {
    // As with quotas: what comes from this machine has none.
    if (isOwn) return;
    const seen = this.#seen.get(key) ?? { misses: new Bucket(MISSES), until: 0 };
    // The last is the last in order, and the first is forgotten.
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    const [least] = this.#seen.keys();
    if (this.#seen.size > MOST && least !== undefined) this.#seen.delete(least);
    if (seen.misses.take(now) > 0) seen.until = now + TIME_LIMITS.guesserMs;
  }
}
