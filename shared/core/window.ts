/**
 * The window: the recent updates of one endpoint without a hole (R1 of PROTOCOL.md). Everything after `base`
 * that was pushed is in it; what a bound drops moves `base`, so coverage is always told by positions alone.
 */
import type { Frame } from "../protocol/frame.ts";
import type { Position } from "../protocol/position.ts";

export interface WindowLimits {
  readonly updates: number;
  /** Milliseconds since the update was received here. */
  readonly ageMs: number;
  /** Bytes of binary frames and UTF-16 units of text frames: a bound on memory, not an exact size. */
  readonly bytes: number;
}

/** An update as a window keeps it. */
export interface Kept {
  readonly frame: Frame;
  readonly epoch: string;
  readonly offset: number;
}

interface Entry extends Kept {
  readonly at: number;
}

export class Window {
  readonly #limits: WindowLimits;
  #base: Map<string, number>;
  #entries: Entry[] = [];
  /** Entries before this index were dropped; cutting them off one by one would move the whole array. */
  #start = 0;
  #bytes = 0;

  constructor(limits: WindowLimits, base: Position) {
    this.#limits = limits;
    this.#base = new Map(base);
  }

  /** Every update after this position, up to the last one pushed, is in the window. */
  get base(): Position {
    return this.#base;
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Takes the next update of the endpoint. `now` must not go back. */
  push(kept: Kept, now: number): void {
    this.#entries.push({ frame: kept.frame, epoch: kept.epoch, offset: kept.offset, at: now });
    this.#bytes += kept.frame.length;
    this.expire(now);
  }

  /** Puts updates before the oldest one: they must lead from `base` to the window's base without a hole. */
  prepend(base: Position, earlier: readonly Kept[], now: number): void {
    const added = earlier.filter((kept) => kept.offset <= (this.#base.get(kept.epoch) ?? -1));
    const at = this.#entries[this.#start]?.at ?? now;
    const entries = added.map(({ frame, epoch, offset }) => ({ frame, epoch, offset, at }));
    this.#entries = [...entries, ...this.#entries.slice(this.#start)];
    this.#start = 0;
    this.#base = new Map(base);
    for (const { frame } of added) this.#bytes += frame.length;
    this.expire(now);
  }

  /** The frames after `from`, in order. Only meaningful where `from` reaches `base`. */
  after(from: Position): Frame[] {
    const frames: Frame[] = [];
    for (let i = this.#start; i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry !== undefined && entry.offset > (from.get(entry.epoch) ?? -1)) frames.push(entry.frame);
    }
    return frames;
  }

  /** Drops what the bounds no longer allow. Age is also judged before a resume, since nothing else wakes it. */
  expire(now: number): void {
    const { updates, ageMs, bytes } = this.#limits;
    for (;;) {
      const oldest = this.#entries[this.#start];
      if (oldest === undefined) break;
      if (this.size <= updates && this.#bytes <= bytes && oldest.at >= now - ageMs) break;
      this.#base.set(oldest.epoch, oldest.offset);
      this.#bytes -= oldest.frame.length;
      this.#start++;
    }
    if (this.#start > 64 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}
