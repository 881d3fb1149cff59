/**
 * Where a subscriber of an endpoint goes: to the endpoint's object, or, if that is full, to a relay of the endpoint in the
 * subscriber's region, the first that has room. A11 of INTERNALS.md. If its key has no record, to the key's room: L16.
 *
 * Relays are filled one after the other, so that there are no more of them than it takes: each costs a message for each update.
 */
import { errorResponse } from "../answers.ts";
import type { Env } from "../env.ts";
import type { Principal } from "../principal.ts";
import type { Region } from "../relay/place.ts";
import { roomCount } from "../relay/rooms.ts";
import { isCrowded, isForARoom, openInRoom, openSubscription, type SubscribeHow } from "../routing.ts";
import { SteadyClock } from "../surroundings.ts";
import { Crowds } from "./crowds.ts";
import { Guessers } from "./guessers.ts";
import { lead } from "./leading.ts";
import { regionOfClient } from "./region.ts";
import { type Sender, senderOf } from "./sender.ts";
import { countedSender } from "./sender-limits.ts";

const clock = new SteadyClock(() => Date.now());
const crowds = new Crowds();
const guessers = new Guessers();

/** On whose behalf an endpoint is subscribed to. */
export interface Client {
  readonly region: Region;
  /** undefined if nobody knows. */
  readonly sender: Sender | undefined;
}

export function clientOf(request: Request, principal: Principal, env: Env): Client {
  return { region: regionOfClient(request), sender: senderOf(request, principal, env) };
}

export async function openWhereRoom(
  env: Env,
  path: string,
  { region, sender }: Client,
  ...how: SubscribeHow
): Promise<Response> {
  const now = clock.now();
  const [from, protocol, principal, { publishes = false, occupancy } = {}] = how;
  const counted = await countedSender(sender, env);
  const moreOf = (isSure: boolean) => ({ publishes, occupancy, isSure, sender: counted });
  const isGuess = sender !== undefined && guessers.has(sender, now) && roomCount(env.ROOMS) > 0;
  const answer = await lead<Response>({
    own(object, isSure) {
      const relay = object === 0 ? undefined : { name: `${region}-${object - 1}`, hint: region };
      return openSubscription(env, path, relay, from, protocol, principal, moreOf(isSure));
    },
    room: () =>
      openInRoom(env, path, isGuess ? sender.key : undefined, from, protocol, principal, moreOf(false)),
    isCrowded,
    isForARoom,
    full: crowds.full(path, region, now),
    isFull: (full) => crowds.note(path, region, full, clock.now()),
    isGuess,
    missed: () => sender && guessers.missed(sender, clock.now()),
  });
  return answer ?? errorResponse("overloaded", "this endpoint has as many subscribers as it can hold");
}
