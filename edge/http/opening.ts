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

/** That take subscribers of one region: the endpoint's own, and its relays. */
const OBJECTS = LIMITS.relaysPerEndpoint + 1;

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
  const first = crowds.full(path, region, clock.now());
  // Those that were known to be full are asked last: if many came back at once, they had left them.
  for (let full = first; full < first + OBJECTS; full++) {
    const number = full % OBJECTS;
    const relay = number === 0 ? undefined : { name: `${region}-${number - 1}`, hint: region };
    const answer = await openSubscription(env, path, relay, ...how);
    if (isForARoom(answer)) {
      if (sender !== undefined) guessers.missed(sender, clock.now());
      const waits = await openInRoom(env, path, ...how);
      const [from, protocol, principal, more] = how;
      // It is full: so many wait that this one is taken like any other.
      return isCrowded(waits)
        ? openSubscription(env, path, relay, from, protocol, principal, { ...more, isSure: true })
        : waits;
    }
    if (!isCrowded(answer)) return answer;
    crowds.note(path, region, full + 1, clock.now());
  }
  crowds.note(path, region, Number.POSITIVE_INFINITY, clock.now());
  return errorResponse("overloaded", "this endpoint has as many subscribers as it can hold");
}
