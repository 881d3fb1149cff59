/**
 * Which relay a key waits in that has no record, its *room*: A11 of INTERNALS.md. Pure. Each shard has the same number of them, and
 * a key's is one of its own shard's, so that a room has one link.
 */
import { shardOf } from "../../shared/protocol/address.ts";

const NAME = "room-";
const MOST = 100;
const DEFAULT = "16";

/** Of each shard; 0: keys without a record have objects of their own, as others have. Throws if the setting isn't as it must be. */
export function roomCount(setting: string | undefined): number {
  const rooms = Number(setting || DEFAULT);
  if (!Number.isInteger(rooms) || rooms < 0 || rooms > MOST)
    throw new Error(`ROOMS must be a whole number from 0 to ${MOST}`);
  return rooms;
}

/** @param rooms Of each shard, one at least. */
export function roomOf(path: string, shards: number, rooms: number): string {
  // A hash modulo a multiple of the shards tells the shard, too.
  const place = shardOf(path, shards * rooms);
  const shard = place % shards;
  return `${NAME}${shard * rooms + Math.floor(place / shards)}`;
}

export function isRoom(name: string): boolean {
  return name.startsWith(NAME);
}
