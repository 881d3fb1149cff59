/**
 * What is known of the line to a broker, from how its answers came: how much to ask for at once, so that an answer
 * comes within a second or so, and how long the broker may be silent. Pure.
 */
import { TIME_LIMITS } from "../time-limits.ts";
import type { Heard } from "./hearing.ts";

const ANSWER_BYTES = { first: 64 * 1024, min: 16 * 1024, max: 8 * 1024 * 1024 };
const PARTITION_BYTES = 1024 * 1024;
/** Answers that take longer get smaller, so that each takes about as long as it should. */
const SLOW_MS = TIME_LIMITS.answerSlowMs;
const WANTED_MS = TIME_LIMITS.answerWantedMs;
/** Those that are large, and take no longer, may be larger. */
const FAST_MS = TIME_LIMITS.answerFastMs;
/** Those that came for so long, and would have to for as long again, are better asked for anew. */
const HOPELESS_MS = TIME_LIMITS.answerHopelessMs;
/** What an answer has besides records, at most. */
const OVERHEAD_BYTES = 64 * 1024;
/** What a broker is given to begin with an answer, and to go on with it; doubled each time that it isn't enough. */
const SILENCE = TIME_LIMITS.answerSilent;

export class BrokerLine {
  #answerBytes = ANSWER_BYTES.first;
  #silenceMs = SILENCE.baseMs;

  get bounds() {
    const maxBytes = this.#answerBytes;
    return { maxBytes, partitionMaxBytes: Math.min(maxBytes, PARTITION_BYTES), silenceMs: this.#silenceMs };
  }

  /**
   * Whether an answer is to be given up, so that less can be asked for: the line has become slow since it was asked for.
   * One batch that is larger than was asked for comes whole anyway.
   * @param asked How many bytes were wanted at most.
   * @param all How many it has.
   */
  static isHopeless({ bytes, ms }: Heard, asked: number, all: number): boolean {
    return ms > HOPELESS_MS && all <= asked + OVERHEAD_BYTES && (all - bytes) * (ms / bytes) > HOPELESS_MS;
  }

  /** It was. */
  gaveUp({ bytes, ms }: Heard): void {
    this.#resize((bytes / ms) * WANTED_MS);
  }

  answered({ bytes, ms, longestGapMs }: Heard): void {
    if (ms > SLOW_MS) this.#resize((bytes / ms) * WANTED_MS);
    else if (ms <= FAST_MS && bytes >= this.#answerBytes / 2) this.#resize(2 * this.#answerBytes);
    // A line that halts now and then shall not be taken for dead each time.
    this.#wait(2 * longestGapMs);
  }

  /** The connection was given up for silence. */
  silent(): void {
    this.#wait(2 * this.#silenceMs);
    this.#resize(this.#answerBytes / 2);
  }

  #resize(bytes: number): void {
    this.#answerBytes = Math.round(Math.min(ANSWER_BYTES.max, Math.max(ANSWER_BYTES.min, bytes)));
  }

  #wait(ms: number): void {
    this.#silenceMs = Math.min(SILENCE.maxMs, Math.max(SILENCE.baseMs, ms));
  }
}
