/**
 * Paces those who catch up by what they take: the next piece is asked for when the one before has left, and when their sender
 * may be sent more (replay-quota.ts). Nothing tells of either, so while somebody waits for that, and only then, there is a timer.
 */

import type { Peer } from "../peer.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface PacerPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
}

/** By socket, how much was unsent there when it last took something, and when that was. */
type Full<S> = Map<S, { readonly bytes: number; readonly at: number }>;

type Pacing<S> =
  /** Nobody is too full. */
  | { readonly kind: "idle" }
  /** It is looked again after a while. */
  | { readonly kind: "pausing"; readonly full: Full<S>; readonly cancel: () => void }
  /** It is looked now. */
  | { readonly kind: "looking"; readonly full: Full<S> };

const LOOK_MS = TIME_LIMITS.roomLookMs;
/** Who takes nothing for so long is gone, or as good as gone. */
const TAKES_NOTHING_MS = TIME_LIMITS.takesNothingMs;
const IDLE = { kind: "idle" } as const;

export class Pacer<S extends Peer> {
  readonly #ports: PacerPorts;
  readonly #look: () => void;
  #pacing: Pacing<S> = IDLE;

  /** `look` is called a little after somebody was too full. */
  constructor(ports: PacerPorts, look: () => void) {
    this.#ports = ports;
    this.#look = look;
  }

  /** Hears who is too full for more, all of them; returns those who have taken nothing for too long. */
  wait(full: readonly S[]): readonly S[] {
    const pacing = this.#pacing;
    if (full.length === 0) {
      if (pacing.kind === "pausing") pacing.cancel();
      this.#pacing = IDLE;
      return full;
    }
    const before: Full<S> = pacing.kind === "idle" ? new Map() : pacing.full;
    const hopeless = this.#note(full, before);
    if (pacing.kind !== "pausing") this.#pacing = this.#pause(before);
    return hopeless;
  }

  #note(full: readonly S[], known: Full<S>): readonly S[] {
    const now = this.#ports.now();
    const hopeless: S[] = [];
    const still = new Set(full);
    for (const socket of known.keys()) if (!still.has(socket)) known.delete(socket);
    for (const socket of full) {
      const bytes = socket.bufferedAmount;
      const before = known.get(socket);
      // Who has taken all waits for its quota.
      if (before === undefined || bytes < before.bytes || bytes === 0) known.set(socket, { bytes, at: now });
      else if (now - before.at > TAKES_NOTHING_MS) hopeless.push(socket);
    }
    return hopeless;
  }

  #pause(full: Full<S>): Pacing<S> {
    const cancel = this.#ports.after(LOOK_MS, () => {
      this.#pacing = { kind: "looking", full };
      this.#look();
    });
    return { kind: "pausing", full, cancel };
  }
}
