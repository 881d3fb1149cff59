/** What a shard holds of publishes that aren't answered: W7 of INTERNALS.md. One partition never takes all of it. Pure. */
import { LIMITS } from "../../../shared/protocol/limits.ts";

/** Of what all may take, one partition may take so much: the others go on while it hangs. */
const SHARES = 4;

interface Taken {
  count: number;
  bytes: number;
}

export class Room {
  readonly #all: Taken = { count: 0, bytes: 0 };
  readonly #shares = new Map<string, Taken>();

  /** False if there is none. */
  take(share: string, bytes: number): boolean {
    const taken = this.#shares.get(share) ?? { count: 0, bytes: 0 };
    if (!fits(this.#all, bytes, 1) || !fits(taken, bytes, SHARES)) return false;
    this.#shares.set(share, taken);
    for (const each of [this.#all, taken]) {
      each.count++;
      each.bytes += bytes;
    }
    return true;
  }

  give(share: string, bytes: number): void {
    const taken = this.#shares.get(share);
    for (const each of [this.#all, ...(taken === undefined ? [] : [taken])]) {
      each.count--;
      each.bytes -= bytes;
    }
    if (taken?.count === 0) this.#shares.delete(share);
  }
}

/** One may always be under way, however large. */
function fits({ count, bytes }: Taken, more: number, shares: number): boolean {
  return (
    count === 0 || (count < LIMITS.openPublishes / shares && bytes + more <= LIMITS.openPublishBytes / shares)
  );
}
