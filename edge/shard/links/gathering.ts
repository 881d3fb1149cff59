/**
 * When updates leave for an object of many endpoints: L15 of INTERNALS.md. Each message costs that object, and the bill, so
 * those that come within a set time of the last one wait for its end, and leave in one. A quiet link is not made to wait.
 */
import type { Frame } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";

export interface GatheringPorts {
  /** Milliseconds that never go back. */
  now(): number;
  after(ms: number, run: () => void): () => void;
}

export const GATHER_SETTING = {
  GATHER_MS: {
    means:
      "For how many milliseconds a shard gathers updates for a relay, and a room what it asks a shard, from 0 to 1,000.",
    default: "25",
  },
} as const;

export type GatherSetting = { readonly [Name in keyof typeof GATHER_SETTING]?: string };

/** Throws, with what is wrong, if the setting isn't as it must be. */
export function gatherMs({ GATHER_MS }: GatherSetting): number {
  const ms = Number(GATHER_MS || GATHER_SETTING.GATHER_MS.default);
  if (!Number.isInteger(ms) || ms < 0 || ms > 1_000)
    throw new Error("GATHER_MS must be a whole number from 0 to 1,000");
  return ms;
}

interface Recent {
  /** When a message left last. */
  readonly at: number;
  /** What has waited since. */
  readonly frames: Frame[];
  bytes: number;
}

export class Gathering<Link> {
  readonly #ports: GatheringPorts;
  readonly #ms: number;
  readonly #leave: (link: Link, frames: readonly Frame[]) => void;
  /** Links that a message left for within the set time, the one longest ago first. */
  readonly #recent = new Map<Link, Recent>();
  #isTicking = false;

  constructor(ports: GatheringPorts, ms: number, leave: (link: Link, frames: readonly Frame[]) => void) {
    this.#ports = ports;
    this.#ms = ms;
    this.#leave = leave;
  }

  /** Updates for a link: they leave now, or wait. */
  add(link: Link, frames: readonly Frame[]): void {
    const recent = this.#recent.get(link);
    const isOver = recent === undefined || this.#ports.now() - recent.at >= this.#ms;
    if (isOver && (recent === undefined || recent.frames.length === 0)) {
      this.#left(link);
      this.#leave(link, frames);
      return;
    }
    for (const frame of frames) {
      recent.frames.push(frame);
      recent.bytes += frame.length;
    }
    if (isOver || recent.bytes >= LIMITS.batchBytes) this.#release(link, recent);
    else this.#tick();
  }

  /** What has waited for a link: something else leaves for it now, and this before that. */
  take(link: Link): readonly Frame[] {
    const waited = this.#recent.get(link)?.frames ?? [];
    this.#left(link);
    return waited;
  }

  /** It has gone, and what has waited with it. */
  forget(link: Link): void {
    this.#recent.delete(link);
  }

  #left(link: Link): void {
    this.#recent.delete(link);
    if (this.#ms > 0) this.#recent.set(link, { at: this.#ports.now(), frames: [], bytes: 0 });
  }

  #release(link: Link, { frames }: Recent): void {
    this.#left(link);
    this.#leave(link, frames);
  }

  /** One timer for all, for the first that waits. */
  #tick(): void {
    if (this.#isTicking) return;
    const now = this.#ports.now();
    for (const [link, { at, frames }] of this.#recent) {
      const left = at + this.#ms - now;
      if (frames.length === 0) {
        if (left <= 0) this.#recent.delete(link);
        continue;
      }
      this.#isTicking = true;
      this.#ports.after(Math.max(0, left), () => this.#look());
      return;
    }
  }

  #look(): void {
    this.#isTicking = false;
    const now = this.#ports.now();
    for (const [link, recent] of [...this.#recent]) {
      if (recent.at + this.#ms > now) break;
      // One that left may have ended others.
      if (this.#recent.get(link) !== recent) continue;
      if (recent.frames.length > 0) this.#release(link, recent);
      else this.#recent.delete(link);
    }
    this.#tick();
  }
}
