/**
 * Connections of which nothing was heard yet: M1. The runtime doesn't tell of a client that went while it was let in, and a
 * connection that follows nothing is sent nothing that could show it. Whoever is there says something at once (S11, M11). So
 * one that hasn't for a minute is let go of when another one comes.
 */
import type { HibernatingPeer } from "../peer.ts";
import { TIME_LIMITS } from "../time-limits.ts";

const SILENT_MS = TIME_LIMITS.subscriberSilentMs;

export class Newcomers<C extends { readonly socket: HibernatingPeer }> {
  /** Since when, the longest first. */
  readonly #since = new Map<C, number>();

  came(connection: C, now: number): void {
    this.#since.set(connection, now);
  }

  /** It has said something, or is gone. */
  remove(connection: C): void {
    this.#since.delete(connection);
  }

  /** Those that have been silent for too long. `pingedAt`: when one last sent a ping, which the runtime answers by itself. */
  late(now: number, pingedAt: (socket: HibernatingPeer) => number | undefined): readonly C[] {
    const late: C[] = [];
    for (const [connection, since] of this.#since) {
      if (now - since < SILENT_MS) break;
      this.#since.delete(connection);
      if (pingedAt(connection.socket) === undefined) late.push(connection);
    }
    return late;
  }
}
