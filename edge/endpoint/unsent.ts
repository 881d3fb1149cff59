/**
 * What subscribers have been sent and haven't taken: it lies in the isolate's memory, which many objects share. S9.
 *
 * Of most there is nothing: what is small goes into the network's own buffers at once. Those of whom there is something are
 * looked at every second, and only then is there a timer; an object with unsent bytes can't sleep anyway. Each is looked at
 * once, soon after it had its verdict: of a client that went while it was let in the runtime doesn't tell, and what is sent to
 * it is never taken. Who takes nothing for long is closed. If there is too much altogether, so is who takes nothing for a moment,
 * the greediest first; and a large first answer isn't begun.
 *
 * A close stands behind what is unsent, so the memory is given back only when its peer's connection ends. No call of the
 * runtime ends that, and none tells of it. So what is closed goes on counting for a while, for the isolate: what can be
 * held by peers that never hang up grows by no more than the budget in that time.
 */
import type { Peer } from "../peer.ts";
import { TIME_LIMITS } from "../time-limits.ts";

export interface UnsentPorts<S> {
  /** What may be unsent of all objects of the isolate. */
  readonly unsentBytes: number;
  /** Milliseconds since 1970; they never go back. */
  now(): number;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
  /** Closes a socket and ends all that it has subscribed to, `remove` among it. */
  close(socket: S, name: "slow_consumer"): void;
}

/** A message of more than this may stay with us; the network takes the others. */
export const LARGE_BYTES = 64 * 1024;
/** Of one object. */
export const OBJECT_BYTES = 64 * 1024 * 1024;

const LOOK_MS = TIME_LIMITS.unsentLookMs;
const FIRST_LOOK_MS = TIME_LIMITS.unsentFirstLookMs;
const TAKES_NOTHING_MS = TIME_LIMITS.takesNothingMs;
const LEFT_MS = TIME_LIMITS.unsentLeftMs;

/** What objects of one isolate say of themselves. One that is gone says nothing more, and counts no more. */
export class SharedBytes {
  readonly #said = new Map<object, { readonly bytes: number; readonly at: number }>();

  say(who: object, bytes: number, now: number): void {
    if (bytes === 0) this.#said.delete(who);
    else this.#said.set(who, { bytes, at: now });
  }

  total(now: number): number {
    let total = 0;
    for (const [who, { bytes, at }] of this.#said) {
      if (now - at > 3 * LOOK_MS) this.#said.delete(who);
      else total += bytes;
    }
    return total;
  }
}

const ISOLATE = new SharedBytes();

interface Held {
  bytes: number;
  /** When it last took something. */
  at: number;
}

export class Unsent<S extends Peer> {
  readonly #ports: UnsentPorts<S>;
  readonly #shared: SharedBytes;
  readonly #held = new Map<S, Held>();
  /** Closed, and with something unsent; and when. */
  readonly #left = new Map<S, number>();
  #bytes = 0;
  #isLooking = false;
  #lookedAt = 0;

  constructor(ports: UnsentPorts<S>, shared = ISOLATE) {
    this.#ports = ports;
    this.#shared = shared;
  }

  /** Whether a large answer may be begun. */
  get hasRoom(): boolean {
    return !this.#isOver(this.#ports.now());
  }

  /** A socket was just sent something. `before`: what was unsent there before that. */
  sent(socket: S, before: number): void {
    this.#watch(socket, before, LOOK_MS);
  }

  /** The same of its first. An object with nothing else to do is to sleep soon, so it is looked at sooner. */
  sentFirst(socket: S): void {
    this.#watch(socket, 0, FIRST_LOOK_MS);
  }

  #watch(socket: S, before: number, lookMs: number): void {
    const now = this.#ports.now();
    const held = this.#held.get(socket) ?? { bytes: 0, at: now };
    this.#held.set(socket, held);
    if (before < held.bytes) held.at = now;
    this.#note(held, socket.bufferedAmount);
    this.#say(now);
    if (this.#isLooking) return;
    this.#lookedAt = now;
    this.#lookIn(lookMs);
  }

  /** It is closed. */
  remove(socket: S): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    this.#note(held, 0);
    this.#held.delete(socket);
    this.#left.set(socket, this.#ports.now());
  }

  #lookIn(ms: number): void {
    this.#isLooking = true;
    this.#ports.after(ms, () => {
      this.#isLooking = false;
      this.#look();
      if (this.#held.size + this.#left.size > 0) this.#lookIn(LOOK_MS);
    });
  }

  #look(): void {
    const now = this.#ports.now();
    // While nothing ran here, nothing could be handed to the network either.
    const wasAway = now - this.#lookedAt > 3 * LOOK_MS;
    this.#lookedAt = now;
    for (const [socket, held] of this.#held) {
      const bytes = socket.bufferedAmount;
      if (bytes < held.bytes || wasAway) held.at = now;
      this.#note(held, bytes);
      if (bytes === 0) this.#held.delete(socket);
      else if (now - held.at >= TAKES_NOTHING_MS) this.#ports.close(socket, "slow_consumer");
    }
    this.#say(now);
    if (this.#isOver(now)) this.#makeRoom(now);
  }

  #say(now: number): void {
    let left = 0;
    for (const [socket, at] of this.#left) {
      const bytes = now - at < LEFT_MS ? socket.bufferedAmount : 0;
      if (bytes === 0) this.#left.delete(socket);
      left += bytes;
    }
    this.#shared.say(this, this.#bytes + left, now);
  }

  /** The greediest first, of those who take nothing: whoever takes what it is sent makes room by itself. */
  #makeRoom(now: number): void {
    const stuck = [...this.#held].filter(([, { at }]) => now - at >= LOOK_MS);
    stuck.sort(([, one], [, other]) => other.bytes - one.bytes);
    // Of the isolate's too much each object gives what it can: what that is worth shows when peers have gone.
    const isShared = this.#isSharedOver(now);
    for (const [socket] of stuck) {
      if (!isShared && this.#bytes <= OBJECT_BYTES) return;
      this.#ports.close(socket, "slow_consumer");
    }
  }

  #isOver(now: number): boolean {
    return this.#bytes > OBJECT_BYTES || this.#isSharedOver(now);
  }

  #isSharedOver(now: number): boolean {
    return this.#shared.total(now) > this.#ports.unsentBytes;
  }

  #note(held: Held, bytes: number): void {
    this.#bytes += bytes - held.bytes;
    held.bytes = bytes;
  }
}
