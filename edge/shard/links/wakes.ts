/**
 * The clock of objects that sleep: L9 of INTERNALS.md. One timer for all, for the first of them: the shard is awake anyway.
 */
import { TIME_LIMITS } from "../../time-limits.ts";

export interface WakesPorts {
  /** Milliseconds since 1970, as the machine has it: it may be set back. */
  wall(): number;
  after(ms: number, run: () => void): () => void;
}

/** No sooner after it was asked for: of an object whose clock is behind, another wake is asked for at once. */
const SOONEST_MS = TIME_LIMITS.wakeSoonestMs;
/** The clock may be set meanwhile, which no timer notices. */
const LOOK_MS = TIME_LIMITS.wakeLookMs;

type Timer = { readonly at: number; readonly cancel: () => void } | undefined;

export class Wakes<T> {
  readonly #ports: WakesPorts;
  readonly #wake: (sleeper: T) => void;
  readonly #at = new Map<T, number>();
  #timer: Timer;

  constructor(ports: WakesPorts, wake: (sleeper: T) => void) {
    this.#ports = ports;
    this.#wake = wake;
  }

  /** In place of the time that was asked for before. */
  set(sleeper: T, at: number): void {
    this.#at.set(sleeper, at);
    this.#arm(at);
  }

  forget(sleeper: T): void {
    if (!this.#at.delete(sleeper) || this.#at.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(first: number): void {
    const now = this.#ports.wall();
    const at = Math.min(Math.max(first, now + SOONEST_MS), now + LOOK_MS);
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.cancel();
    const cancel = this.#ports.after(at - now, () => {
      this.#timer = undefined;
      this.#look();
    });
    this.#timer = { at, cancel };
  }

  #look(): void {
    const now = this.#ports.wall();
    const due: T[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [sleeper, at] of this.#at) {
      if (at <= now) due.push(sleeper);
      else next = Math.min(next, at);
    }
    for (const sleeper of due) this.#at.delete(sleeper);
    if (this.#at.size > 0) this.#arm(next);
    for (const sleeper of due) this.#wake(sleeper);
  }
}
