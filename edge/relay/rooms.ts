/**
 * Which relay a key waits in that has no record, its *room*: A12 of INTERNALS.md. Pure. Each shard has the same number of them, and
 * a key's is one of its own shard's, so that a room has one link.
 */
import { shardOf } from "../../shared/protocol/address.ts";

export const ROOMS_SETTING = {
  ROOMS: {
    means: "How many rooms each shard has for subscribers of keys that have no record, from 0 to 100.",
    default: "16",
  },
} as const;

const NAME = "room-";
const MOST = 100;

/** Of each shard; 0: keys without a record have objects of their own, as others have. Throws if the setting isn't as it must be. */
export function roomCount(setting: string | undefined): number {
  const rooms = Number(setting || ROOMS_SETTING.ROOMS.default);
  if (!Number.isInteger(rooms) || rooms < 0 || rooms > MOST)
    throw new Error(`ROOMS must be a whole number from 0 to ${MOST}`);
  return rooms;
}

/**
 * @param rooms Of each shard, one at least.
 * @param guesser Who makes keys up, if it is known to: all its keys of a shard have one room, so that it fills no others.
 */
export function roomOf(path: string, shards: number, rooms: number, guesser?: string): string {
  // A hash modulo a multiple of the shards tells the shard, too.
  const place = shardOf(path, shards * rooms);
  const shard = place % shards;
  const number = guesser === undefined ? Math.floor(place / shards) : shardOf(guesser, rooms);
  return `${NAME}${shard * rooms + number}`;
}

export function isRoom(name: string): boolean {
  return name.startsWith(NAME);
}
