/**
 * Where a subscriber of an endpoint goes: to the endpoint's object, or, if that is full, to a relay of the endpoint in the
 * subscriber's region, the first that has room. A11 of INTERNALS.md.
 *
 * Relays are filled one after the other, so that there are no more of them than it takes: each costs a message for each update.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";
import { errorResponse } from "../answers.ts";
import type { Env } from "../env.ts";
import type { Region } from "../relay/place.ts";
import { isCrowded, openSubscription, type SubscribeHow } from "../routing.ts";
import { SteadyClock } from "../surroundings.ts";
import { Crowds } from "./crowds.ts";

const clock = new SteadyClock(() => Date.now());
const crowds = new Crowds();

export async function openWhereRoom(
  env: Env,
  path: string,
  region: Region,
  ...how: SubscribeHow
): Promise<Response> {
  for (let full = crowds.full(path, region, clock.now()); full <= LIMITS.relaysPerEndpoint; full++) {
    const relay = full === 0 ? undefined : { name: `${region}-${full - 1}`, hint: region };
    const answer = await openSubscription(env, path, relay, ...how);
    if (!isCrowded(answer)) return answer;
    crowds.note(path, region, full + 1, clock.now());
  }
  return errorResponse("overloaded", "this endpoint has as many subscribers as it can hold");
}
