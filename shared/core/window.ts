/**
 * The window: the recent updates of one endpoint without a hole (R1 of INTERNALS.md).
 *
 * It vouches for each epoch by itself, from a *floor* on: every update after that offset is in it. Of an epoch
 * without a floor it claims nothing, since "nothing was received" is not "nothing was". What a bound drops moves
 * the floor, so coverage is always told by offsets alone.
 */
import type { Frame } from "../protocol/frame.ts";
import {
  type Component,
  hasEpochsOf,
  isAfter,
  merge,
  offsetIn,
  type Position,
  reaches,
} from "../protocol/position.ts";

/** epoch → the offset after which nothing is missing; −1: since the epoch began. */
export type Floors = ReadonlyMap<string, number>;

export interface WindowLimits {
  readonly updates: number;
  /** Milliseconds since the update was received here. */
  readonly ageMs: number;
  /** Bytes of binary frames and UTF-16 units of text frames: a bound on memory, not an exact size. */
  readonly bytes: number;
}

/** An update as a window keeps it. */
export interface Kept extends Component {
  readonly frame: Frame;
}

interface Entry extends Kept {
  readonly at: number;
}

export class Window {
  readonly #limits: WindowLimits;
  #floors: Map<string, number>;
  /** Whether the key's home is among the floors: else who has nothing may lack what was there. */
  #withHome: boolean;
  #entries: Entry[] = [];
  /** Entries before this index were dropped; cutting them off one by one would move the whole array. */
  #start = 0;
  #bytes = 0;

  constructor(limits: WindowLimits, floors: Floors, withHome: boolean) {
    this.#limits = limits;
    this.#floors = new Map(floors);
    this.#withHome = withHome;
  }

  /** In each of these epochs every update after the floor, up to the last one pushed, is in the window. */
  get floors(): Floors {
    return this.#floors;
  }

  /** Whether nothing is missing here for a receiver that stands at `from`. */
  covers(from: Position): boolean {
    return (from.size > 0 || this.#withHome) && this.reachesBack(from);
  }

  /** The same for a receiver that was proved to have all up to there. */
  reachesBack(from: Position): boolean {
    return hasEpochsOf(this.#floors, from) && reaches(from, this.#floors);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Vouches for an epoch after this offset, unless it does so already. */
  begin(epoch: string, floor: number): void {
    if (!this.#floors.has(epoch)) this.#floors.set(epoch, floor);
  }

  /** Vouches for no epoch any longer but these; of others it must hold nothing. */
  confine(epochs: Position): void {
    for (const epoch of [...this.#floors.keys()])
      if (!epochs.has(epoch)) {
        this.#floors.delete(epoch);
        // It may have been the home.
        this.#withHome = false;
      }
  }

  /** An answer speaks of these epochs, and the home is one of them. */
  foundHome(spoken: Position): void {
    this.#withHome ||= hasEpochsOf(this.#floors, spoken);
  }

  /** The source, which has answered from where the window ends, doesn't speak of the home. */
  lostHome(): void {
    this.#withHome = false;
  }

  /** Takes the next update of the endpoint. `now` must not go back. */
  push(kept: Kept, now: number): void {
    // The first of its epoch: of what was there before nothing is known.
    this.begin(kept.epoch, kept.offset - 1);
    this.#entries.push({ frame: kept.frame, epoch: kept.epoch, offset: kept.offset, at: now });
    this.#bytes += kept.frame.length;
    this.expire(now);
  }

  /**
   * Puts updates before the oldest one. In each epoch of `floors` all that come after that offset and up to the
   * window's own floor must be among them.
   */
  prepend(floors: Floors, earlier: readonly Kept[], now: number): void {
    const before = (epoch: string) => (floors.has(epoch) ? offsetIn(this.#floors, epoch) : -1);
    const added = earlier.filter(({ epoch, offset }) => offset <= before(epoch));
    const at = this.#entries[this.#start]?.at ?? now;
    const entries = added.map(({ frame, epoch, offset }) => ({ frame, epoch, offset, at }));
    this.#entries = [...entries, ...this.#entries.slice(this.#start)];
    this.#start = 0;
    merge(this.#floors, floors);
    for (const { frame } of added) this.#bytes += frame.length;
    this.expire(now);
  }

  /** The updates after `from`, in order. Only meaningful if the window reaches back to `from`. */
  after(from: Position): Kept[] {
    const kept: Kept[] = [];
    for (let i = this.#start; i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry !== undefined && isAfter(entry, from)) kept.push(entry);
    }
    return kept;
  }

  /** Drops what the bounds no longer allow. Age is also judged before a resume, since nothing else wakes it. */
  expire(now: number): void {
    const { updates, ageMs, bytes } = this.#limits;
    for (;;) {
      const oldest = this.#entries[this.#start];
      if (oldest === undefined) break;
      if (this.size <= updates && this.#bytes <= bytes && oldest.at >= now - ageMs) break;
      this.#floors.set(oldest.epoch, oldest.offset);
      this.#bytes -= oldest.frame.length;
      this.#start++;
    }
    if (this.#start > 64 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}
