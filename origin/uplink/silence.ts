/**
 * For how long an uplink may be silent (U9). A ping is answered when all that was sent before it has arrived, which may take a slow
 * line longer than a shard that is there would ever be silent: whoever gave up each time would send the same again for ever. So it
 * is given twice the time after each such end, until the line has shown that it carries as much in less. Pure.
 */
export interface SilenceBounds {
  /** Milliseconds. */
  readonly baseMs: number;
  readonly maxMs: number;
}

export class Silence {
  readonly #bounds: SilenceBounds;
  #ms: number;
  /** What was on its way when it was given up. */
  #bytes = 0;

  constructor(bounds: SilenceBounds) {
    this.#bounds = bounds;
    this.#ms = bounds.baseMs;
  }

  /** How long it may last, in milliseconds. */
  get ms(): number {
    return this.#ms;
  }

  /** An uplink was given up, while so much of what had been sent wasn't known to have arrived. */
  gaveUp(bytes: number): void {
    this.#bytes = bytes;
    this.#ms = Math.min(2 * this.#ms, this.#bounds.maxMs);
  }

  /** So much has arrived over an uplink, and it was never silent for longer than this. */
  carried(bytes: number, longestMs: number): void {
    if (bytes >= this.#bytes) this.#ms = Math.min(this.#ms, Math.max(this.#bounds.baseMs, 2 * longestMs));
  }
}

/** What is heard over one uplink. Times are of one clock, in milliseconds. */
export class UplinkHearing {
  readonly #silence: Silence;
  #heardAt: number;
  #longestMs = 0;
  /** How much had been sent when each ping was that isn't answered. */
  readonly #pinged: number[] = [];
  /** Of what was sent, so much has arrived. */
  #arrivedBytes = 0;

  constructor(silence: Silence, now: number) {
    this.#silence = silence;
    this.#heardAt = now;
  }

  /** From now on something is due. */
  begin(now: number): void {
    this.#heardAt = now;
  }

  hear(now: number): void {
    this.#longestMs = Math.max(this.#longestMs, now - this.#heardAt);
    this.#heardAt = now;
  }

  /** A ping was sent, behind so many bytes. */
  ping(sentBytes: number): void {
    this.#pinged.push(sentBytes);
  }

  /** The first ping that wasn't is answered. */
  pong(): void {
    this.#arrivedBytes = this.#pinged.shift() ?? this.#arrivedBytes;
    this.#silence.carried(this.#arrivedBytes, this.#longestMs);
  }

  /** For how long nothing was heard, if that is too long. */
  silentMs(now: number): number | undefined {
    return now - this.#heardAt >= this.#silence.ms ? this.#silence.ms : undefined;
  }

  /** So much had been sent. */
  gaveUp(sentBytes: number): void {
    this.#silence.gaveUp(sentBytes - this.#arrivedBytes);
  }
}
