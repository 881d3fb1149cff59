/**
 * What tells that the network, or time itself, may have jumped: a machine that wakes, a page that is shown or thawed, a network that
 * comes or goes. All that goes by one clock shares what watches for it.
 */
import { type Clock, Timer } from "./clock.ts";

/** It was noticed that this slept for so long; 0: only that something has changed. */
export type Noticed = (sleptMs: number) => void;

/** Of a page; elsewhere there is none of it. */
export interface Page {
  addEventListener?(name: string, listener: (event?: { readonly type: string }) => void): void;
  removeEventListener?(name: string, listener: (event?: { readonly type: string }) => void): void;
  readonly document?: Page & { readonly visibilityState?: string };
}

const TICK_MS = 500;
/**
 * A tick that is so late was slept through. It may also be a busy machine: then a ping was sent for nothing. Browsers let timers of pages
 * that nobody sees be late for a minute, so there it means nothing; when they are shown they look anyway.
 */
const LATE_MS = 2_000;

const OF_WINDOW = ["online", "offline", "pageshow"] as const;
const OF_DOCUMENT = ["visibilitychange", "resume"] as const;

class Life {
  readonly #clock: Clock;
  readonly #page: Page;
  readonly #watching = new Set<Noticed>();
  readonly #timer: Timer;
  #tickAt = 0;

  constructor(clock: Clock, page: Page) {
    this.#clock = clock;
    this.#page = page;
    this.#timer = new Timer(clock, () => this.#tick());
  }

  watch(noticed: Noticed): () => void {
    if (this.#watching.size === 0) this.#begin();
    this.#watching.add(noticed);
    return () => {
      if (this.#watching.delete(noticed) && this.#watching.size === 0) this.#end();
    };
  }

  #begin(): void {
    for (const name of OF_WINDOW) this.#page.addEventListener?.(name, this.#changed);
    for (const name of OF_DOCUMENT) this.#page.document?.addEventListener?.(name, this.#shown);
    this.#await();
  }

  #end(): void {
    for (const name of OF_WINDOW) this.#page.removeEventListener?.(name, this.#changed);
    for (const name of OF_DOCUMENT) this.#page.document?.removeEventListener?.(name, this.#shown);
    this.#timer.cancel();
  }

  #await(): void {
    this.#tickAt = this.#clock.date() + TICK_MS;
    this.#timer.set(TICK_MS);
  }

  /** The time of day goes on while a machine sleeps, which timers and their clock may not. */
  #tick(): void {
    const lateMs = this.#clock.date() - this.#tickAt;
    this.#await();
    if (lateMs >= LATE_MS && !this.#isHidden) this.#tell(lateMs);
  }

  readonly #changed = () => this.#tell(0);

  /** A page that was frozen may go on while nobody sees it. */
  readonly #shown = (event?: { readonly type: string }) => {
    if (event?.type === "resume" || !this.#isHidden) this.#tell(0);
  };

  get #isHidden(): boolean {
    return this.#page.document?.visibilityState === "hidden";
  }

  #tell(sleptMs: number): void {
    for (const noticed of [...this.#watching]) noticed(sleptMs);
  }
}

const lives = new WeakMap<Clock, Life>();

/** Returns what ends it. */
export function watchLife(clock: Clock, noticed: Noticed, page: Page = globalThis as Page): () => void {
  const life = lives.get(clock) ?? new Life(clock, page);
  lives.set(clock, life);
  return life.watch(noticed);
}
