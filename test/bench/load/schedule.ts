/**
 * When each update is due. The schedule is fixed before the first update is sent and waits for nobody: an update that
 * is sent late, because something before it took long, still counts from when it was due, so that a stall shows in
 * full (no coordinated omission). Pure.
 */

export interface ScheduleSettings {
  readonly endpoints: number;
  /** Updates of each endpoint per second. */
  readonly rate: number;
  /** Microseconds. The first cycle begins here. */
  readonly from: number;
  /** Nothing is due at this time or later. */
  readonly until: number;
  /** Numbers from 0 up to 1: where in the cycle an endpoint has its turn. */
  readonly random: () => number;
}

export interface Due {
  readonly endpoint: number;
  /** Microseconds. */
  readonly at: number;
}

export class Schedule {
  readonly #settings: ScheduleSettings;
  /** In the order of their turns in each cycle. */
  readonly #turns: readonly { readonly endpoint: number; readonly phase: number }[];
  #next = 0;

  constructor(settings: ScheduleSettings) {
    this.#settings = settings;
    this.#turns = Array.from({ length: settings.endpoints }, (_, endpoint) => ({
      endpoint,
      phase: settings.random(),
    })).sort((a, b) => a.phase - b.phase);
  }

  /** What is due at `now` or before and was not taken yet, in order, and at most so many. */
  take(now: number, atMost: number): Due[] {
    const due: Due[] = [];
    while (due.length < atMost) {
      const next = this.#at(this.#next);
      if (next === undefined || next.at > now) break;
      due.push(next);
      this.#next++;
    }
    return due;
  }

  /** Whether everything was taken. */
  get done(): boolean {
    return this.#at(this.#next) === undefined;
  }

  #at(index: number): Due | undefined {
    const { endpoints, rate, from, until } = this.#settings;
    const turn = this.#turns[index % endpoints];
    if (turn === undefined) return undefined;
    const at = from + ((Math.floor(index / endpoints) + turn.phase) / rate) * 1e6;
    return at < until ? { endpoint: turn.endpoint, at } : undefined;
  }
}
