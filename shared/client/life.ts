/**
 * What tells that the network, or time itself, may have jumped: a machine that wakes, a page that is shown or thawed, a network that
 * comes or goes. All that goes by one clock shares what watches for it.
 */
import { type Clock, Timer } from "./clock.ts";

/** It was noticed that this slept for so long; 0: only that something has changed. */
export type Noticed = (sleptMs: number) => void;

/** Of a page; elsewhere there is none of it. */
export interface Page {
  addEventListener?(name: string, listener: () => void): void;
  removeEventListener?(name: string, listener: () => void): void;
  readonly document?: Page & { readonly visibilityState?: string };
}

const TICK_MS = 500;
/**
 * A tick that is so late was slept through. It may also be a busy machine: then a ping was sent for nothing. Browsers let timers of pages
 * that nobody sees be late for a minute, so there it means nothing; when they are shown they look anyway.
 */
const LATE_MS = 2_000;

const OF_WINDOW = ["online", "offline", "pageshow"] as const;

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
    this.#page.document?.addEventListener?.("visibilitychange", this.#shown);
    this.#page.document?.addEventListener?.("resume", this.#thawed);
    this.#await();
  }

  #end(): void {
    for (const name of OF_WINDOW) this.#page.removeEventListener?.(name, this.#changed);
    this.#page.document?.removeEventListener?.("visibilitychange", this.#shown);
    this.#page.document?.removeEventListener?.("resume", this.#thawed);
    this.#timer.cancel();
  }

  #await(): void {
    this.#tickAt = this.#clock.date() + TICK_MS;
    this.#timer.set(TICK_MS);
  }

  #tick(): void {
    const lateMs = this.#lateMs();
    if (lateMs >= LATE_MS && !this.#isHidden) this.#tell(lateMs);
  }

  /** Of the tick that is due; the next one is set. The time of day goes on while a machine sleeps, which timers and their clock may not. */
  #lateMs(): number {
    const lateMs = this.#clock.date() - this.#tickAt;
    this.#await();
    return lateMs;
  }

  readonly #changed = () => this.#tell(0);

  readonly #shown = () => {
    if (!this.#isHidden) this.#tell(0);
  };

  /** It was frozen: neither timers nor what came reached it, and its socket is closed or dead. It may go on while nobody sees it. */
  readonly #thawed = () => this.#tell(Math.max(0, this.#lateMs()));

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
