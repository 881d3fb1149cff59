/**
 * Where a subscriber of an endpoint goes: to the endpoint's object, or, if that is full, to a relay of the endpoint in the
 * subscriber's region, the first that has room. A11 of INTERNALS.md. If its key has no record, to the key's room: L16.
 *
 * Relays are filled one after the other, so that there are no more of them than it takes: each costs a message for each update.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";
import { errorResponse } from "../answers.ts";
import type { Env } from "../env.ts";
import type { Principal } from "../principal.ts";
import type { Region } from "../relay/place.ts";
import { roomCount } from "../relay/rooms.ts";
import { isCrowded, isForARoom, openInRoom, openSubscription, type SubscribeHow } from "../routing.ts";
import { SteadyClock } from "../surroundings.ts";
import { Crowds } from "./crowds.ts";
import { Guessers } from "./guessers.ts";
import { regionOfClient } from "./region.ts";
import { type Sender, senderOf } from "./sender.ts";

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
  const isGuess = sender !== undefined && guessers.has(sender, clock.now());
  if (isGuess && roomCount(env.ROOMS) > 0) return openInRoom(env, path, ...how);
  for (let full = crowds.full(path, region, clock.now()); full <= LIMITS.relaysPerEndpoint; full++) {
    const relay = full === 0 ? undefined : { name: `${region}-${full - 1}`, hint: region };
    const answer = await openSubscription(env, path, relay, ...how);
    if (isForARoom(answer)) {
      if (sender !== undefined) guessers.missed(sender, clock.now());
      return openInRoom(env, path, ...how);
    }
    if (!isCrowded(answer)) return answer;
    crowds.note(path, region, full + 1, clock.now());
  }
  return errorResponse("overloaded", "this endpoint has as many subscribers as it can hold");
}
