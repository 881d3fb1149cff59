/** Time and chance as the client takes them, so that tests can be in command of both. */
export interface Clock {
  /** Milliseconds; only goes forward, and may stand still while the machine sleeps. */
  now(): number;
  /** Milliseconds since 1970, which may jump: over a sleep, for instance. */
  date(): number;
  /** In [0, 1). */
  random(): number;
  /** Returns what cancels it. */
  after(ms: number, fire: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  random: () => Math.random(),
  after(ms, fire) {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
};

/** One timer that can be set again; setting it cancels what was set before. */
export class Timer {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  set(afterMs: number): void {
    this.cancel();
    this.#cancel = this.#clock.after(afterMs, () => {
      this.#cancel = undefined;
      this.#fire();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
