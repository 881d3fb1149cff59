/** Virtual time for a client that sleeps: meanwhile nothing reaches it, its timers don't fire, and its clock may stand still. */
import type { Clock } from "../../shared/client/clock.ts";

interface Task {
  at: number;
  readonly order: number;
  readonly run: () => void;
  readonly ofClient: boolean;
}

export class SleepingClock {
  /** Milliseconds of the world, which doesn't sleep. */
  now = 0;
  readonly #random: () => number;
  readonly #stands: boolean;
  readonly #tasks = new Set<Task>();
  #order = 0;
  #awakeAt = 0;
  #slept = 0;

  /** `stands`: while the client sleeps its clock stands still, as that of some platforms does. */
  constructor(random: () => number, stands: boolean) {
    this.#random = random;
    this.#stands = stands;
  }

  /** The client's own. */
  readonly client: Clock = {
    now: () => this.now - this.#slept,
    date: () => this.now,
    random: () => this.#random(),
    after: (ms, fire) => this.#add(ms, fire, true),
  };

  /** Timers of the client. */
  get pending(): number {
    return [...this.#tasks].filter(({ ofClient }) => ofClient).length;
  }

  /** Until the client is awake again. */
  get asleepMs(): number {
    return Math.max(0, this.#awakeAt - this.now);
  }

  /** In the world. */
  after(ms: number, run: () => void): () => void {
    return this.#add(ms, run, false);
  }

  /** What comes to the client, which hears of it when it is awake; the order stays. */
  tell(ms: number, run: () => void): void {
    this.after(ms, () => {
      if (this.now < this.#awakeAt) this.tell(this.#awakeAt - this.now, run);
      else run();
    });
  }

  /** Whole milliseconds. */
  sleep(ms: number): void {
    if (this.now < this.#awakeAt) return;
    this.#awakeAt = this.now + ms;
    if (this.#stands)
      this.after(ms, () => {
        this.#slept += ms;
      });
    for (const task of this.#tasks)
      if (task.ofClient) task.at = this.#stands ? task.at + ms : Math.max(task.at, this.#awakeAt);
  }

  /** Between two tasks everything is done that waits for promises alone. */
  async run(ms: number): Promise<void> {
    const end = this.now + Math.ceil(ms);
    await settled();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.at > end) break;
      this.#tasks.delete(next);
      this.now = Math.max(this.now, next.at);
      next.run();
      await settled();
    }
    this.now = end;
  }

  #next(): Task | undefined {
    let first: Task | undefined;
    for (const task of this.#tasks)
      if (first === undefined || task.at < first.at || (task.at === first.at && task.order < first.order))
        first = task;
    return first;
  }

  /** Whole milliseconds: a rest that is lost in rounding would be waited for without end. */
  #add(ms: number, run: () => void, ofClient: boolean): () => void {
    const task = { at: this.now + Math.ceil(ms), order: this.#order++, run, ofClient };
    this.#tasks.add(task);
    return () => this.#tasks.delete(task);
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}
