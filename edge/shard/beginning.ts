/**
 * What a shard that begins to run makes of how many shards there are now, and were when it last looked: A9 of INTERNALS.md.
 * One that was left out for a while has missed what was revoked and lifted meanwhile, and if there are as many shards again
 * as before it couldn't tell by itself. So the first one, which is always there, wakes those that are left out, and they note
 * the number.
 */
import { backoff } from "../../shared/core/backoff.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { TIME_LIMITS } from "../time-limits.ts";

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

export interface BeginningPorts {
  random(): number;
  after(ms: number, run: () => void): void;
  /** Nothing is answered before this has ended; if it rejects, this life of the shard ends. */
  first(run: () => Promise<void>): void;
  /** How many shards another one knows of. Rejects if it doesn't say in time. */
  shardsKnownTo(shard: number): Promise<number>;
  /** Those of the first shard. Likewise. */
  revocations(): Promise<readonly Revocation[]>;
  learn(revocations: readonly Revocation[], wasLeftOut: boolean): void;
  /** How many shards there are: noted for the next life. */
  noteShards(shards: number): void;
  failed(what: string, error: unknown): void;
  log(line: string): void;
}

const TRIES = 100;

/** Does what it takes for a shard to begin. Its store has noted, last, that there were `seen` shards. */
export function begin(ports: BeginningPorts, shard: number, shards: number, seen: number | undefined): void {
  const beginning = beginningOf(shard, shards, seen);
  const note = () => {
    if (seen !== shards) ports.noteShards(shards);
  };
  if (beginning.kind === "first" && beginning.leftOut.length > 0)
    void leaveOut(ports, beginning.leftOut, shards);
  else if (beginning.kind !== "one") note();
  // One that is new where there are more shards than before would let everybody in.
  else ports.first(() => learn(ports, beginning, note));
}

/** Each notes by itself how many shards there are, when it begins to run: one that still runs as before knows another number. */
async function leaveOut(
  ports: BeginningPorts,
  leftOut: readonly number[],
  shards: number,
  tries = 0,
): Promise<void> {
  try {
    const known = await Promise.all(leftOut.map((shard) => ports.shardsKnownTo(shard)));
    if (known.some((number) => number !== shards))
      throw new Error("one of them doesn't know yet how many shards there are");
    ports.noteShards(shards);
    ports.log(`shards ${leftOut.join(", ")} are left out from now on, and know it`);
  } catch (error) {
    ports.failed("those that are left out", error);
    again(ports, tries, () => leaveOut(ports, leftOut, shards, tries + 1));
  }
}

/**
 * The first shard is there whatever their number is, and has all revocations. A shard that goes on without it has rows of
 * its own. One that is new, or was left out, ends here, and begins anew with the next request.
 */
async function learn(
  ports: BeginningPorts,
  { isStrict, wasLeftOut }: Extract<Beginning, { kind: "one" }>,
  note: () => void,
  tries = 0,
): Promise<void> {
  try {
    ports.learn(await ports.revocations(), wasLeftOut);
    note();
  } catch (error) {
    ports.failed("the revocations of the first one", error);
    if (isStrict) throw new Error("nobody is let in before the first shard has told what was revoked");
    again(ports, tries, () => learn(ports, { kind: "one", isStrict, wasLeftOut }, note, tries + 1));
  }
}

function again({ random, after }: BeginningPorts, tries: number, run: () => void): void {
  if (tries < TRIES) after(backoff(tries, TIME_LIMITS.shardLearnAgain, random()), run);
}
