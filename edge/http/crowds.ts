/** Which objects of crowded endpoints were found full, so that they aren't asked again at once: A11 of INTERNALS.md. Pure. */
import type { Region } from "../relay/place.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** Of a region, whose relays are its own. */
interface Crowd {
  /**
   * So many objects were full, one after the other: the endpoint's own, the first of its relays, and behind the last relay again
   * those, if they were asked once more. Infinite: all were.
   */
  full: number;
  /** From then on they may have room again. */
  readonly until: number;
}

/** Endpoints that are remembered: far more than have so many subscribers at a time. */
const MOST_CROWDS = 1_000;

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
