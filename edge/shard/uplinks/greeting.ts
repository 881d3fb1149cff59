/**
 * Uplinks that were accepted and have yet to say hello (U2): one of each name, and not for long, so that whoever has a
 * key can't pile them up. While one waits there is a timer: a shard that nothing else reaches must not sleep over it.
 */
import type { CloseName } from "../../../shared/protocol/codes.ts";
import { closeQuietly, type HibernatingPeer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { fence, greet, strangersStanding, verifiedName } from "./uplink-attachment.ts";

export interface GreetingPorts {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
}

export class Greeting {
  readonly #ports: GreetingPorts;
  /** By name, the oldest first. */
  readonly #waiting = new Map<string, { readonly socket: HibernatingPeer; readonly since: number }>();
  #stopTimer: (() => void) | undefined;

  /** @param survivors Sockets that outlived the shard's memory; they get a new deadline. */
  constructor(ports: GreetingPorts, survivors: readonly HibernatingPeer[]) {
    this.#ports = ports;
    for (const socket of survivors) {
      const name = strangersStanding(socket) === "greeting" ? verifiedName(socket) : undefined;
      if (name !== undefined) this.#wait(socket, name);
    }
  }

  /** An uplink was just accepted. `name`: what its key calls the origin. */
  opened(socket: HibernatingPeer, name: string, scope: string | undefined): void {
    greet(socket, name, scope);
    this.#wait(socket, name);
  }

  /** It has said something, or is closed. */
  ended(socket: HibernatingPeer): void {
    const name = verifiedName(socket);
    if (name !== undefined && this.#waiting.get(name)?.socket === socket) this.#waiting.delete(name);
    this.#keepTime();
  }

  /** Something has arrived at the shard. */
  arrived(): void {
    if (this.#waiting.size === 0) return;
    // An origin that has heard nothing of its own for 5 s dials again, so none that works is cut off.
    const before = this.#ports.now() - TIME_LIMITS.uplinkHelloMs;
    for (const [name, { since }] of this.#waiting) {
      if (since > before) break;
      this.#refuse(name, "going_away");
    }
    this.#keepTime();
  }

  /** A timer for the oldest, and none where nobody waits: it would keep the shard awake. */
  #keepTime(): void {
    const [oldest] = this.#waiting.values();
    if (oldest === undefined) {
      this.#stopTimer?.();
      this.#stopTimer = undefined;
    }
    if (oldest === undefined || this.#stopTimer !== undefined) return;
    const ms = Math.max(0, oldest.since + TIME_LIMITS.uplinkHelloMs - this.#ports.now());
    this.#stopTimer = this.#ports.after(ms, () => {
      this.#stopTimer = undefined;
      this.arrived();
    });
  }

  #wait(socket: HibernatingPeer, name: string): void {
    this.#refuse(name, "replaced");
    this.#waiting.set(name, { socket, since: this.#ports.now() });
    this.#keepTime();
  }

  #refuse(name: string, why: CloseName): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#waiting.delete(name);
    fence(waiting.socket);
    closeQuietly(waiting.socket, why);
  }
}
