/** Time and chance as the runtime has them: what the cores of both kinds of objects take as ports. */

/**
 * A clock for deadlines and ages: the machine's, but it never goes back. Where that is set back, this one goes on from
 * where it was last read, and is ahead from then on; or windows would not expire, and what lingers would stay, for as
 * long as it was set back. Where it is set forward so is this one: that is like a pause.
 */
export class SteadyClock {
  readonly #wall: () => number;
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
    if (wall < this.#seen) this.#ahead += this.#seen - wall;
    this.#seen = wall;
    return wall + this.#ahead;
  }

  /** What this clock shows at a time of the machine's, as that is set now. */
  at(wall: number): number {
    this.now();
    return wall + this.#ahead;
  }
}

/** One for all objects of the isolate. */
const clock = new SteadyClock(() => Date.now());

export const SURROUNDINGS = {
  /** Milliseconds since 1970, about: they never go back. */
  now: () => clock.now(),
  /** The same, of a time that the runtime noted. */
  at: (wall: number) => clock.at(wall),
  /** In [0, 1). */
  random: () => Math.random(),
  /** Runs once after `ms` milliseconds, unless the function returned is called before. Keeps the object awake. */
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
} as const;
