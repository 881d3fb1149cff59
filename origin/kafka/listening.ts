/**
 * Listens to a connection while an answer is due, one after another, and looks now and then how that goes: it may be silent,
 * drip, or come so slowly that it is better given up.
 */
import { TooSlowError } from "./broken-off.ts";
import { type Heard, Hearing, SilentError } from "./hearing.ts";

export interface ListeningPorts {
  /** Calls `hear` if something came. */
  readonly listen: () => void;
  readonly failed: (error: SilentError) => void;
  readonly gaveUp: (error: TooSlowError) => void;
}

type GiveUp = (heard: Heard) => boolean;

const NOTHING_HEARD: Heard = { bytes: 0, ms: 0, longestGapMs: 0 };

export class Listening {
  readonly #ports: ListeningPorts;
  /** Of the present answer, or of the last one. */
  #hearing: Hearing | undefined;
  #silenceMs = 0;
  #giveUp: GiveUp | undefined;
  #isOn = false;
  #timer: NodeJS.Timeout | undefined;
  #lookAt = 0;

  constructor(ports: ListeningPorts) {
    this.#ports = ports;
  }

  /** How the present answer is coming, or how the last one came. */
  get heard(): Heard {
    return this.#hearing?.heard ?? NOTHING_HEARD;
  }

  /** @param giveUp Asked at each look. */
  begin(silenceMs: number, giveUp?: GiveUp): void {
    const now = performance.now();
    const hearing = this.#hearing ?? new Hearing(now, silenceMs);
    hearing.begin(now, silenceMs);
    this.#hearing = hearing;
    this.#silenceMs = silenceMs;
    this.#giveUp = giveUp;
    this.#isOn = true;
    // Most answers come before any look: one that is due anyway serves those that follow, and a timer for each would be in vain.
    if (this.#timer !== undefined && this.#lookAt <= now + hearing.firstLookMs) return;
    clearTimeout(this.#timer);
    this.#lookIn(hearing.firstLookMs, now);
  }

  hear(bytes: number): void {
    this.#hearing?.hear(performance.now(), bytes);
  }

  /** The answer has come. */
  end(): void {
    this.#isOn = false;
  }

  close(): void {
    this.#isOn = false;
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number, now: number): void {
    this.#lookAt = now + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const hearing = this.#hearing;
    if (!this.#isOn || hearing === undefined) return;
    this.#ports.listen();
    const now = performance.now();
    const verdict = hearing.look(now);
    if (verdict === "silent")
      this.#ports.failed(new SilentError(`the broker has been silent for ${this.#silenceMs} ms`));
    else if (verdict === "trickle")
      this.#ports.failed(new SilentError("the broker's answer does not come, but drips"));
    else if (this.#giveUp?.(hearing.heard) === true)
      this.#ports.gaveUp(new TooSlowError("the answer was given up to ask for less"));
    else this.#lookIn(verdict.lookInMs, now);
  }
}
