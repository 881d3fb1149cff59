/**
 * How long to listen for an answer. The deadline is for silence: as long as bytes keep coming, an answer may take as
 * long as its line needs. Pure: time is passed in.
 */
import { TIME_LIMITS } from "../time-limits.ts";

/** A line that brings fewer bytes than this, in so long, brings nothing. */
const TRICKLE = { bytes: 4_096, ms: TIME_LIMITS.brokerTrickleMs };
/** How often to look at least. */
const LOOK_MS = TIME_LIMITS.brokerLookMs;
/** A look that comes so much too late shows that this process was busy, not that the broker was silent. */
const LATE_MS = TIME_LIMITS.brokerLookLateMs;

/** Not a byte came, or hardly any, though the connection stands, as far as can be seen from here. */
export class SilentError extends Error {}

export type LookResult = { readonly lookInMs: number } | "silent" | "trickle";

/** What was heard since listening began. */
export interface Heard {
  readonly bytes: number;
  /** From the first bytes to the last. */
  readonly ms: number;
  readonly longestGapMs: number;
}

export class Hearing {
  #silenceMs = 0;
  #heardAt = 0;
  #lookAt = 0;
  #firstAt: number | undefined;
  #bytes = 0;
  #longestGapMs = 0;
  /** In which it is seen whether it drips. */
  #windowSince = 0;
  #windowBytes = 0;

  constructor(now: number, silenceMs: number) {
    this.begin(now, silenceMs);
  }

  /** Begins anew, for another answer. */
  begin(now: number, silenceMs: number): void {
    this.#silenceMs = silenceMs;
    this.#heardAt = now;
    this.#lookAt = now + this.firstLookMs;
    this.#firstAt = undefined;
    this.#bytes = 0;
    this.#longestGapMs = 0;
    this.#windowSince = now;
    this.#windowBytes = 0;
  }

  get firstLookMs(): number {
    return Math.min(LOOK_MS, this.#silenceMs);
  }

  get heard(): Heard {
    const ms = this.#firstAt === undefined ? 0 : this.#heardAt - this.#firstAt;
    return { bytes: this.#bytes, ms, longestGapMs: this.#longestGapMs };
  }

  hear(now: number, bytes: number): void {
    // The first bytes may have to wait for records that aren't written yet.
    if (this.#firstAt === undefined) this.#firstAt = now;
    else this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#heardAt);
    this.#heardAt = now;
    this.#bytes += bytes;
    this.#windowBytes += bytes;
  }

  /** To be asked again when it says so. */
  look(now: number): LookResult {
    const late = now - this.#lookAt;
    // What came meanwhile is read after this look.
    if (late > LATE_MS) this.#heardAt += late;
    const left = this.#heardAt + this.#silenceMs - now;
    if (left < 1) return "silent";
    if (now - this.#windowSince >= TRICKLE.ms) {
      if (this.#windowBytes < TRICKLE.bytes) return "trickle";
      this.#windowSince = now;
      this.#windowBytes = 0;
    }
    const lookInMs = Math.ceil(Math.min(LOOK_MS, left));
    this.#lookAt = now + lookInMs;
    return { lookInMs };
  }
}
