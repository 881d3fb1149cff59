/** Time that passes only when a test says so. */
import type { Clock } from "../../shared/client/clock.ts";

export class FakeClock implements Clock {
  /** What random() returns. */
  chance = 0.5;
  /** In all, as its timers and now() don't know. */
  sleptMs = 0;
  #now = 0;
  #timers = new Set<{ readonly at: number; readonly fire: () => void }>();

  now(): number {
    return this.#now;
  }

  /** It sleeps only if a test says so. */
  date(): number {
    return this.#now + this.sleptMs;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, fire: () => void): () => void {
    const timer = { at: this.#now + ms, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass, and the timers fire that are due in it, each at its time. */
  pass(ms: number): void {
    const end = this.#now + ms;
    while (this.#fireOne(end));
    this.#now = end;
  }

  /** The same; what is settled by one timer has been heard when the next one fires. */
  async passInTurns(ms: number): Promise<void> {
    const end = this.#now + ms;
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#fireOne(end));
    this.#now = end;
  }

  /** The first that is due by then. Returns whether there was one. */
  #fireOne(end: number): boolean {
    const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
    if (next === undefined || next.at > end) return false;
    this.#now = Math.max(this.#now, next.at);
    this.#timers.delete(next);
    next.fire();
    return true;
  }
}
