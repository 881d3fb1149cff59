/**
 * What it means to a shard that begins to run how many shards there are now, and were when it last looked: A9 of INTERNALS.md.
 * One that was left out for a while has missed what was revoked and lifted meanwhile, and if there are as many shards again
 * as before it couldn't tell by itself. So the first one, which is always there, wakes those that are left out, and they note
 * the number. Pure.
 */

/** The shard of which the others learn what was revoked. */
export const FIRST = 0;

export type Beginning =
  /** The first shard. It must wake `leftOut`, before it notes the number. */
  | { readonly kind: "first"; readonly leftOut: readonly number[] }
  /** Nobody asks it for anything. */
  | { readonly kind: "leftOut" }
  | {
      readonly kind: "one";
      /** Whether nobody may be served before the first shard has told what was revoked. */
      readonly isStrict: boolean;
      /** Whether it was left out, so that what it has of its own may have been lifted. */
      readonly wasLeftOut: boolean;
    };

/** `seen`: the number that was noted last; undefined in one that is new, and in one that ran before this was noted. */
export function beginningOf(shard: number, shards: number, seen: number | undefined): Beginning {
  if (shard === FIRST) {
    const count = Math.max(0, (seen ?? shards) - shards);
    return { kind: "first", leftOut: Array.from({ length: count }, (_, i) => shards + i) };
  }
  if (shard >= shards) return { kind: "leftOut" };
  return { kind: "one", isStrict: seen !== shards, wasLeftOut: seen !== undefined && seen <= shard };
}
