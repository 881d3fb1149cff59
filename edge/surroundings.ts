/** Time and chance as the runtime has them: what the cores of both kinds of objects take as ports. */
import { TIME_LIMITS } from "./time-limits.ts";

/** Less than that isn't a clock that was set back: events of one object may know the time of when each of them began. */
const TOLERANCE_MS = TIME_LIMITS.clockSetBackMs;

/**
 * A clock for deadlines and ages: the machine's, but it never goes back. If that is set back, this one goes on from
 * where it was last read, and is ahead from then on; or windows would not expire, and what lingers would stay, for as
 * long as it was set back. If it is set forward so is this one: that is like a pause.
 */
export class SteadyClock {
  readonly #wall: () => number;
  /** The latest that was read since it was set back. */
  #seen: number;
  /** How much it is ahead. */
  #ahead = 0;

  /** @param wall Milliseconds since 1970, as the machine has it. */
  constructor(wall: () => number) {
    this.#wall = wall;
    this.#seen = wall();
  }

  now(): number {
    const wall = this.#wall();
    const back = this.#seen - wall;
    if (back > TOLERANCE_MS) this.#ahead += back;
    if (back < 0 || back > TOLERANCE_MS) this.#seen = wall;
    return this.#seen + this.#ahead;
  }

  /** What this clock shows at a time of the machine's, as that is set now. */
  at(wall: number): number {
    this.now();
    return wall + this.#ahead;
  }
}

export interface Surroundings {
  /** Milliseconds since 1970, about: they never go back. */
  now(): number;
  /** The same, of a time that the runtime noted. */
  at(wall: number): number;
  /** Milliseconds since 1970, as the machine has it: what dates are compared with. It may be set back. */
  wall(): number;
  /** In [0, 1). */
  random(): number;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. Keeps the object awake. */
  after(ms: number, run: () => void): () => void;
}

/** Of one object: another one may be told another time just then. */
export function surroundings(): Surroundings {
  const clock = new SteadyClock(() => Date.now());
  return {
    now: () => clock.now(),
    at: (wall) => clock.at(wall),
    wall: () => Date.now(),
    random: () => Math.random(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
}
