/**
 * Uplinks that were accepted and have yet to say hello (U2): one of each name, and not for long, so that whoever has a
 * key can't pile them up. They are looked at whenever something arrives, so no timer is needed.
 */
import type { CloseName } from "../../../shared/protocol/codes.ts";
import { closeQuietly, type HibernatingPeer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { fenceStranger, greet, strangersStanding, verifiedName } from "./slice-uplinks.ts";

export class Greeting {
  readonly #now: () => number;
  /** By name, the oldest first. */
  readonly #waiting = new Map<string, { readonly socket: HibernatingPeer; readonly since: number }>();

  /** @param survivors Sockets that outlived the shard's memory; they get a new deadline. */
  constructor(now: () => number, survivors: readonly HibernatingPeer[]) {
    this.#now = now;
    for (const socket of survivors) {
      const name = strangersStanding(socket) === "greeting" ? verifiedName(socket) : undefined;
      if (name !== undefined) this.#wait(socket, name);
    }
  }

  /** An uplink was just accepted. `name`: what its key calls the origin. */
  opened(socket: HibernatingPeer, name: string): void {
    greet(socket, name);
    this.#wait(socket, name);
  }

  /** It has said something, or is closed. */
  ended(socket: HibernatingPeer): void {
    const name = verifiedName(socket);
    if (name !== undefined && this.#waiting.get(name)?.socket === socket) this.#waiting.delete(name);
  }

  /** Something has arrived at the shard. */
  arrived(): void {
    if (this.#waiting.size === 0) return;
    // An origin that has heard nothing of its own for 5 s dials again, so none that works is cut off.
    const before = this.#now() - TIME_LIMITS.uplinkHelloMs;
    for (const [name, { since }] of this.#waiting) {
      if (since > before) return;
      this.#refuse(name, "going_away");
    }
  }

  #wait(socket: HibernatingPeer, name: string): void {
    this.#refuse(name, "replaced");
    this.#waiting.set(name, { socket, since: this.#now() });
  }

  #refuse(name: string, why: CloseName): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#waiting.delete(name);
    fenceStranger(waiting.socket);
    closeQuietly(waiting.socket, why);
  }
}
