/** What a shard holds of publishes that aren't answered: W7 of INTERNALS.md. One partition never takes all of it. Pure. */
import { LIMITS } from "../../../shared/protocol/limits.ts";
import type { Publish } from "../../../shared/protocol/publish.ts";

/** Of what all may take, one partition may take so much: the others go on while it hangs. */
const SHARES = 4;

/** What a publish takes beside what it says, and each of its headers beside its name and value. */
const ENTRY_BYTES = 500;
const HEADER_BYTES = 200;

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

/** What is held of a publish, in bytes, about: all that its client chose counts. */
export function sizeOf({ endpoint, issuer, subject, key, headers, value }: Publish): number {
  const said = [endpoint, issuer, subject, key].reduce((sum, { length }) => sum + length, value?.length ?? 0);
  return headers.reduce(
    (sum, [name, content]) => sum + HEADER_BYTES + name.length + (content?.length ?? 0),
    ENTRY_BYTES + said,
  );
}

/** One may always be under way, however large. */
function fits({ count, bytes }: Taken, more: number, shares: number): boolean {
  return (
    count === 0 || (count < LIMITS.openPublishes / shares && bytes + more <= LIMITS.openPublishBytes / shares)
  );
}
