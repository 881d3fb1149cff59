/**
 * When a partition may be read again from the log's start, since the log no longer holds all of what comes next. While that
 * goes on, nothing is proved of the partition; while it is put off, what was read before stays proved, and is only old.
 *
 * A log may be compacted again and again under a reader that falls behind. However fast that goes, the partition is proved for
 * at least half of the time, if a reading takes no longer than it is put off at most; and one reading serves all that was
 * removed until then. Pure: time is passed in.
 */
import { TIME_LIMITS } from "../time-limits.ts";

/** Not longer, though the reading before took longer: what is new must come some time. */
const MOST_MS = TIME_LIMITS.rereadLatestMs;

export class Rereads {
  #beganAt: number | undefined;
  #tookMs = 0;
  #endedAt = Number.NEGATIVE_INFINITY;

  /** How long to put it off. */
  waitMs(now: number): number {
    return Math.max(0, this.#endedAt + Math.min(this.#tookMs, MOST_MS) - now);
  }

  /** It begins; or goes on, if it had to begin anew. */
  begins(now: number): void {
    this.#beganAt ??= now;
  }

  /** Whether one is under way. */
  get isOn(): boolean {
    return this.#beganAt !== undefined;
  }

  /** The partition is ready again. */
  ends(now: number): void {
    if (this.#beganAt === undefined) return;
    this.#tookMs = now - this.#beganAt;
    this.#endedAt = now;
    this.#beganAt = undefined;
  }
}
