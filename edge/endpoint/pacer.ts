/**
 * Paces those who catch up by what they take: the next piece is asked for when the one before has left. A
 * socket gives no event for that, so while somebody is too full, and only then, there is a timer.
 */
import type { HibernatingPeer } from "../peer.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface PacerPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
}

const LOOK_MS = TIME_LIMITS.roomLookMs;
/** Who takes nothing for so long is gone, or as good as gone. */
const TAKES_NOTHING_MS = TIME_LIMITS.takesNothingMs;

export class Pacer {
  readonly #ports: PacerPorts;
  readonly #look: () => void;
  readonly #full = new Map<HibernatingPeer, { readonly bytes: number; readonly at: number }>();
  #cancel: (() => void) | undefined;

  /** `look` is called a little after somebody was too full. */
  constructor(ports: PacerPorts, look: () => void) {
    this.#ports = ports;
    this.#look = look;
  }

  /** Hears who is too full for more, all of them; returns those who have taken nothing for too long. */
  wait(full: readonly HibernatingPeer[]): readonly HibernatingPeer[] {
    if (full.length === 0 && this.#full.size === 0) return full;
    const now = this.#ports.now();
    const hopeless: HibernatingPeer[] = [];
    for (const socket of this.#full.keys()) if (!full.includes(socket)) this.#full.delete(socket);
    for (const socket of full) {
      const bytes = socket.bufferedAmount;
      const before = this.#full.get(socket);
      if (before === undefined || bytes < before.bytes) this.#full.set(socket, { bytes, at: now });
      else if (now - before.at > TAKES_NOTHING_MS) hopeless.push(socket);
    }
    if (full.length === 0) {
      this.#cancel?.();
      this.#cancel = undefined;
    } else {
      this.#cancel ??= this.#ports.after(LOOK_MS, () => {
        this.#cancel = undefined;
        this.#look();
      });
    }
    return hopeless;
  }
}
