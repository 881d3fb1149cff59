/**
 * Dials the objects that a shard has noted: L1 of INTERNALS.md. A bounded number at once, with backoff where it
 * fails, and with an end: an object that can't be dialled for minutes is given up, and asks again when it needs
 * its shard.
 */
import { backoff } from "../../shared/core/backoff.ts";
import type { Peer } from "../peer.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface DialerPorts {
  /** Opens a socket to an object; rejects where that fails, or takes too long. */
  dial(name: string, path: string): Promise<Peer>;
  after(ms: number, run: () => void): () => void;
  random(): number;
  log(problem: string): void;
}

export interface Noted {
  readonly name: string;
  readonly path: string;
}

interface Dial {
  readonly noted: Noted;
  tries: number;
  /** "due" waits for its turn, "open" is being dialled; else it waits, and this ends the waiting. */
  state: "due" | "open" | (() => void);
}

const AT_ONCE = 50;
const TRIES = 10;
const RETRY = TIME_LIMITS.objectDialAgain;
/** A shard that restarts dials all its objects: spread over up to a second, for the sake of those. */
const SPREAD_MS_EACH = 2;
const SPREAD_MS = TIME_LIMITS.objectDialSpreadMs;

export class Dialer {
  readonly #ports: DialerPorts;
  readonly #opened: (noted: Noted, peer: Peer) => void;
  readonly #gaveUp: (noted: Noted) => void;
  readonly #dials = new Map<string, Dial>();
  #due: Dial[] = [];
  #open = 0;

  constructor(
    ports: DialerPorts,
    opened: (noted: Noted, peer: Peer) => void,
    gaveUp: (noted: Noted) => void,
  ) {
    this.#ports = ports;
    this.#opened = opened;
    this.#gaveUp = gaveUp;
  }

  /** Dials an object now; does nothing more where it is being dialled or about to be. */
  dial(noted: Noted): void {
    const dial = this.#dials.get(noted.name);
    if (dial === undefined) this.#enqueue({ noted, tries: 0, state: "due" });
    else if (typeof dial.state === "function") {
      // Its object has just said that it is there: what kept us waiting may be over.
      dial.state();
      this.#enqueue(dial);
    }
  }

  /** Dials many, spread over a moment. */
  dialAll(all: readonly Noted[]): void {
    const spread = Math.min(SPREAD_MS, SPREAD_MS_EACH * all.length);
    for (const noted of all)
      if (!this.#dials.has(noted.name)) this.#wait({ noted, tries: 0, state: "due" }, spread);
  }

  /** Dials an object whose link broke, after a while. */
  redial(noted: Noted): void {
    if (!this.#dials.has(noted.name)) this.#wait({ noted, tries: 0, state: "due" }, RETRY.baseMs);
  }

  forget(name: string): void {
    const dial = this.#dials.get(name);
    if (typeof dial?.state === "function") dial.state();
    this.#dials.delete(name);
  }

  #wait(dial: Dial, upToMs: number): void {
    this.#dials.set(dial.noted.name, dial);
    dial.state = this.#ports.after(upToMs * this.#ports.random(), () => this.#enqueue(dial));
  }

  #enqueue(dial: Dial): void {
    this.#dials.set(dial.noted.name, dial);
    dial.state = "due";
    this.#due.push(dial);
    this.#next();
  }

  #next(): void {
    while (this.#open < AT_ONCE) {
      const dial = this.#due.shift();
      if (dial === undefined) return;
      // Forgotten meanwhile.
      if (this.#dials.get(dial.noted.name) !== dial) continue;
      this.#open++;
      dial.state = "open";
      this.#ports.dial(dial.noted.name, dial.noted.path).then(
        (peer) => this.#done(dial, peer),
        (error: unknown) => this.#failed(dial, error),
      );
    }
  }

  #done(dial: Dial, peer: Peer): void {
    this.#open--;
    // Where it was forgotten meanwhile, whoever takes the link decides what becomes of it.
    if (this.#dials.get(dial.noted.name) === dial) this.#dials.delete(dial.noted.name);
    this.#opened(dial.noted, peer);
    this.#next();
  }

  #failed(dial: Dial, error: unknown): void {
    this.#open--;
    if (this.#dials.get(dial.noted.name) === dial) {
      const problem = error instanceof Error ? error.message : String(error);
      dial.tries++;
      if (dial.tries < TRIES) this.#wait(dial, backoff(dial.tries - 1, RETRY, 1));
      else {
        this.#dials.delete(dial.noted.name);
        this.#ports.log(`${dial.noted.path} can't be dialled, for the ${TRIES}th time: ${problem}`);
        this.#gaveUp(dial.noted);
      }
    }
    this.#next();
  }
}
