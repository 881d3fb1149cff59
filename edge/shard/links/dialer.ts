/**
 * Dials the objects that a shard has noted: L1 of INTERNALS.md. A bounded number at once, with backoff if it
 * fails, and with an end: an object that can't be dialled for minutes is given up, and asks again when it needs
 * its shard.
 */

import type { ObjectIdentity } from "../../object-identity.ts";
import { closeQuietly, type Peer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { type DialEvent, type DialState, IDLE, RETRY, stepDial, TRIES } from "./dial-states.ts";

export interface DialerPorts {
  /** Opens a socket to an object; rejects if that fails, or takes too long. */
  dial(object: ObjectIdentity): Promise<Peer>;
  after(ms: number, run: () => void): () => void;
  random(): number;
  log(problem: string): void;
}

interface Dial {
  readonly object: ObjectIdentity;
  state: DialState;
  /** Ends what would say that the time is up for which it waits. */
  endWaiting: () => void;
}

const AT_ONCE = 50;
/** A shard that restarts dials all its objects: spread over up to a second, for the sake of those. */
const SPREAD_MS_EACH = 2;
const SPREAD_MS = TIME_LIMITS.objectDialSpreadMs;

export class Dialer {
  readonly #ports: DialerPorts;
  readonly #opened: (object: ObjectIdentity, peer: Peer) => void;
  readonly #gaveUp: (object: ObjectIdentity) => void;
  /** Those that aren't idle. */
  readonly #dials = new Map<ObjectIdentity, Dial>();
  #due: Dial[] = [];
  #open = 0;

  constructor(
    ports: DialerPorts,
    opened: (object: ObjectIdentity, peer: Peer) => void,
    gaveUp: (object: ObjectIdentity) => void,
  ) {
    this.#ports = ports;
    this.#opened = opened;
    this.#gaveUp = gaveUp;
  }

  /** Dials an object now; does nothing more if it is being dialled or about to be. */
  dial(object: ObjectIdentity): void {
    this.#step(this.#of(object), { kind: "dial" });
  }

  /** Dials many, spread over a moment. */
  dialAll(all: readonly ObjectIdentity[]): void {
    const upToMs = Math.min(SPREAD_MS, SPREAD_MS_EACH * all.length);
    for (const object of all) this.#step(this.#of(object), { kind: "later", upToMs });
  }

  /** Dials an object whose link broke, after a while. */
  redial(object: ObjectIdentity): void {
    this.#step(this.#of(object), { kind: "later", upToMs: RETRY.baseMs });
  }

  forget(object: ObjectIdentity): void {
    const dial = this.#dials.get(object);
    if (dial !== undefined) this.#step(dial, { kind: "forget" });
  }

  #of(object: ObjectIdentity): Dial {
    return this.#dials.get(object) ?? { object, state: IDLE, endWaiting: () => undefined };
  }

  #step(dial: Dial, event: DialEvent): void {
    const before = dial.state;
    const after = stepDial(before, event);
    if (after === before) return;
    dial.state = after;
    const { object } = dial;
    if (before.kind === "waits") dial.endWaiting();
    if (after.kind === "idle") this.#dials.delete(object);
    else this.#dials.set(object, dial);
    if (after.kind === "waits")
      dial.endWaiting = this.#ports.after(after.upToMs * this.#ports.random(), () =>
        this.#step(dial, { kind: "timeIsUp" }),
      );
    if (after.kind !== "due") return;
    this.#due.push(dial);
    this.#next();
  }

  #next(): void {
    while (this.#open < AT_ONCE) {
      const dial = this.#due.shift();
      if (dial === undefined) return;
      // Forgotten meanwhile.
      if (dial.state.kind !== "due") continue;
      this.#open++;
      this.#step(dial, { kind: "turn" });
      this.#ports.dial(dial.object).then(
        (peer) => this.#done(dial, peer),
        (error: unknown) => this.#failed(dial, error),
      );
    }
  }

  #done(dial: Dial, peer: Peer): void {
    this.#open--;
    this.#step(dial, { kind: "opened" });
    // If it was forgotten meanwhile, it is for whoever takes the link to say what becomes of it.
    try {
      this.#opened(dial.object, peer);
    } catch (error) {
      // Its object asks for a link again, and others have their turns.
      this.#ports.log(`a link to ${dial.object} can't begin: ${problemOf(error)}`);
      closeQuietly(peer, "going_away");
    }
    this.#next();
  }

  #failed(dial: Dial, error: unknown): void {
    this.#open--;
    const wasForgotten = dial.state.kind === "idle";
    this.#step(dial, { kind: "failed" });
    if (!wasForgotten && dial.state.kind === "idle") {
      this.#ports.log(`${dial.object} can't be dialled, for the ${TRIES}th time: ${problemOf(error)}`);
      this.#gaveUp(dial.object);
    }
    this.#next();
  }
}

function problemOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
