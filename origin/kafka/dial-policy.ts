/**
 * When an address may be dialled again: one rule for all that want a connection to it, however many they are. Pure:
 * time is passed in.
 *
 * An address is trusted once a request was answered there, until a connection to it ends in any way but by our own
 * will. One that isn't trusted is dialled by one at a time, at most every 550 ms: less than two dials a second, and
 * soon after it can be reached again. A trusted one gives its connections at once, but if they end again and again
 * it is dialled no more often in the long run.
 */
import { TIME_LIMITS } from "../time-limits.ts";

const SPACING_MS = TIME_LIMITS.brokerDialSpacingMs;
/** Dials that may follow one another at once: what a broker's connections take, and a first one to learn of it. */
const BURST = 4;
const PER_MS = 2 / 1_000;
/**
 * How long a broker that is dialled may say nothing: one dial that got lost on the way, as on a link that is half-open,
 * keeps all others waiting. A broker may need time to find out who we are, so it is given more if that wasn't enough.
 */
const SILENCE = TIME_LIMITS.brokerDialSilent;

export class DialPolicy {
  #trusted = false;
  /** The dial that is to show whether the address can be reached, until it has shown it. */
  #probe: symbol | undefined;
  #dialledAt = Number.NEGATIVE_INFINITY;
  #left = BURST;
  #countedAt = 0;
  #silenceMs = SILENCE.baseMs;

  get silenceMs(): number {
    return this.#silenceMs;
  }

  /** How long until the next dial, in milliseconds; undefined if the one under way is waited for. */
  delay(now: number): number | undefined {
    if (this.#trusted) return Math.max(0, (1 - this.#countedTo(now)) / PER_MS);
    return this.#probe === undefined ? Math.max(0, this.#dialledAt + SPACING_MS - now) : undefined;
  }

  /** @param dial Names it from now on. */
  dialled(dial: symbol, now: number): void {
    this.#left = Math.max(0, this.#countedTo(now) - 1);
    this.#countedAt = now;
    this.#dialledAt = now;
    if (!this.#trusted) this.#probe = dial;
  }

  /** It has come to its end: it is open, or has failed, or nobody wants it any more. */
  over(dial: symbol): void {
    if (this.#probe === dial) this.#probe = undefined;
  }

  /** It is open, which took so long. */
  opened(ms: number): void {
    this.#giveMs(2 * ms);
  }

  /** Nothing was heard of it for as long as it had. */
  silent(): void {
    this.#giveMs(2 * this.#silenceMs);
  }

  answered(): void {
    this.#trusted = true;
  }

  /** A connection couldn't be opened, or ended though it was wanted. */
  failed(): void {
    this.#trusted = false;
  }

  #giveMs(ms: number): void {
    this.#silenceMs = Math.min(SILENCE.maxMs, Math.max(SILENCE.baseMs, ms));
  }

  #countedTo(now: number): number {
    return Math.min(BURST, this.#left + (now - this.#countedAt) * PER_MS);
  }
}
