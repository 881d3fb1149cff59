/** What a connection over HTTP follows, and which of it comes in which stream (E7). */
import { CLIENT_LIMITS } from "../../protocol/client-limits.ts";
import { formatPosition, OLDEST, type Position, type Start } from "../../protocol/position.ts";
import { OCCUPANCY, WAIT } from "../../protocol/version.ts";

/** An endpoint that is followed. */
export interface Member {
  readonly path: string;
  /** Of its subscribe. */
  readonly id: number;
  /** From where it was asked for. */
  readonly start: Start;
  readonly occupancy: boolean;
  /** Whether it has its verdict, or is told to wait for that. */
  state: "asked" | "waiting" | "held";
  /** All up to here was passed on; undefined before the verdict. */
  position: Position | undefined;
  /** The request that it comes by; undefined: it has yet to be made. */
  stream: number | undefined;
}

/** A request whose answer is a stream of some of them. */
export interface Stream {
  /** No two have the same. */
  readonly name: number;
  readonly members: readonly Member[];
  /** It is to end by itself after so long (E8); undefined: it goes on. */
  readonly waitMs: number | undefined;
  readonly openedAt: number;
  /** When anything came; undefined before that. */
  heardAt: number | undefined;
  /** Anything came later than with its beginning. */
  isAlive: boolean;
}

/** A browser opens six connections to a host that speaks HTTP/1.1, for all of its pages; requests need some, too. */
export const STREAMS = 4;
/** What is asked for by a URL: many servers take 8 KiB. */
const QUERY_CHARACTERS = 6_000;

/** It begins with all the history there is, and nothing says of where that begins yet. */
const isOldest = ({ start, position }: Member) => position === undefined && start === OLDEST;

/**
 * Shares them out to as few requests as there may be, in their order. Those that begin with the oldest have one of their own, since
 * that can be said only of all in it. `left` have no place.
 */
export function shareOut(
  members: readonly Member[],
  room: number,
): { readonly groups: Member[][]; readonly left: Member[] } {
  const groups: Member[][] = [];
  const left: Member[] = [];
  for (const member of members) {
    const group = groups.find((group) => hasRoom(group, member));
    if (group !== undefined) group.push(member);
    else if (groups.length < room) groups.push([member]);
    else left.push(member);
  }
  return { groups, left };
}

function hasRoom(group: readonly Member[], member: Member): boolean {
  const isAlike = group.every((other) => isOldest(other) === isOldest(member));
  const characters = [...group, member].reduce((sum, one) => sum + lengthOf(one), 0);
  return isAlike && group.length < CLIENT_LIMITS.streamEndpoints && characters <= QUERY_CHARACTERS;
}

const lengthOf = (member: Member) =>
  encodeURIComponent(member.path).length + encodeURIComponent(placeOf(member)).length + 10;

/** Where the request for these goes on. */
export function queryOf(members: readonly Member[], waitMs: number | undefined): string {
  const query = new URLSearchParams(members.map(({ path }): [string, string] => ["sub", path]));
  const places = members.map(placeOf);
  if (members.every(isOldest)) query.set("from", OLDEST);
  else if (places.some((place) => place !== "")) query.set("from", places.join(";"));
  if (members.some(({ occupancy }) => occupancy)) query.set(OCCUPANCY, "");
  if (waitMs !== undefined) query.set(WAIT, String(waitMs / 1_000));
  return query.toString();
}

/** A position that has more components than a client may name is none (P2): what follows it can only be begun anew. */
function placeOf({ position, start }: Member): string {
  const from = position ?? (start === OLDEST ? undefined : start);
  return from === undefined || from.size > CLIENT_LIMITS.positionComponents ? "" : formatPosition(from);
}
