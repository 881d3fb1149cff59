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
import { TIME_LIMITS } from "../time-limits.ts";

/** Of a region, whose relays are its own. */
interface Crowd {
  /** So many objects were full: the endpoint's own, and the first of its relays. */
  full: number;
  /** From then on they may have room again. */
  readonly until: number;
}

/** Endpoints that are remembered: far more than have so many subscribers at a time. */
const MOST_CROWDS = 1_000;

/** Which objects of crowded endpoints were full, for a while. Pure. */
export class Crowds {
  /** By endpoint and region, in the order in which they were noted. */
  readonly #known = new Map<string, Crowd>();

  /** How many objects needn't be asked: 0 begins with the endpoint's own. */
  full(path: string, region: Region, now: number): number {
    const key = keyOf(path, region);
    const crowd = this.#known.get(key);
    if (crowd === undefined) return 0;
    if (now < crowd.until) return crowd.full;
    this.#known.delete(key);
    return 0;
  }

  /** So many are. What was noted first counts its time: others that fill up don't keep it from being asked again. */
  note(path: string, region: Region, full: number, now: number): void {
    const key = keyOf(path, region);
    const crowd = this.#known.get(key);
    if (crowd !== undefined) crowd.full = Math.max(crowd.full, full);
    else this.#known.set(key, { full, until: now + TIME_LIMITS.crowdedMs });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_CROWDS && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf(path: string, region: Region): string {
  return `${region} ${path}`;
}

const clock = new SteadyClock(() => Date.now());
const crowds = new Crowds();

/** Asks for room for a subscriber: at the endpoint's object, and then at its relays. */
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
