/** An edge says how many shards it has, and each is dialled (U1, U2): so no more of them are believed than an edge can have. */
import { LIMITS } from "../../shared/protocol/limits.ts";

/** Why so many can't be, in words; undefined if they can. */
export function tooMany(shards: number): string | undefined {
  return shards > LIMITS.shards
    ? `the edge says that it has ${shards} shards, and no edge has more than ${LIMITS.shards}`
    : undefined;
}
