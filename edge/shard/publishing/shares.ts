/** What a shard holds of publishes that aren't answered: W7 of INTERNALS.md. Pure. */
import { LIMITS } from "../../../shared/protocol/limits.ts";
import type { Publish } from "../../../shared/protocol/publish.ts";

/** One partition has no more than this part of what it leaves for all others: of an empty room that is a quarter. */
const PART = 1 / 3;

/** What a publish takes beside what it says, and each of its headers beside its name and value. */
const ENTRY_BYTES = 500;
const HEADER_BYTES = 200;

interface Taken {
  count: number;
  bytes: number;
}

/** Some is left for the next partition, though many hang. */
export class Shares {
  readonly #all: Taken = { count: 0, bytes: 0 };
  readonly #shares = new Map<string, Taken>();

  /** False if there is none. */
  take(share: string, bytes: number): boolean {
    const taken = this.#shares.get(share) ?? { count: 0, bytes: 0 };
    const all = { count: this.#all.count + 1, bytes: this.#all.bytes + bytes };
    const own = { count: taken.count + 1, bytes: taken.bytes + bytes };
    // One may always be under way, however large.
    if (this.#all.count > 0 && !fits(all, ALL)) return false;
    if (taken.count > 0 && !fits(own, partOf(ALL, all))) return false;
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

const ALL: Taken = { count: LIMITS.openPublishes, bytes: LIMITS.openPublishBytes };
const fits = (taken: Taken, bound: Taken) => taken.count <= bound.count && taken.bytes <= bound.bytes;

const partOf = (bound: Taken, taken: Taken): Taken => ({
  count: PART * (bound.count - taken.count),
  bytes: PART * (bound.bytes - taken.bytes),
});
