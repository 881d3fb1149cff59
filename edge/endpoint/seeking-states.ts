/**
 * How far an object without a link to a shard is in coming to one, and what changes that: L1 of INTERNALS.md. Pure.
 *
 *   idle ──wanted now──▶ asking ──noted──▶ awaiting ──elapsed──▶ asking; after the last try idle: it gives up
 *    │                       └───failed──▶ resting ───elapsed──▶ the same
 *    └──wanted later──▶ pausing ──elapsed──▶ asking
 *
 * From each of them it is idle again when the link is there, or not needed.
 */

/** `tries`: how often the shard has been asked, this time included. */
export type Seeking =
  /** There is a link, or nobody needs one, or the object gave up. */
  | { readonly kind: "idle" }
  /** The shard may dial by itself. */
  | { readonly kind: "pausing" }
  /** The shard is being asked. */
  | { readonly kind: "asking"; readonly tries: number }
  /** The shard has noted the object, and dials. */
  | { readonly kind: "awaiting"; readonly tries: number }
  /** The shard couldn't be asked. */
  | { readonly kind: "resting"; readonly tries: number };

export type SeekingEvent =
  | { readonly kind: "wanted"; readonly when: "now" | "later" }
  | { readonly kind: "noted" }
  | { readonly kind: "failed" }
  /** The time is over that this state may last. */
  | { readonly kind: "elapsed" }
  /** There is a link, or nobody needs one any more. */
  | { readonly kind: "notNeeded" };

/** A shard that can't be asked, or doesn't dial, is asked that often. */
export const TRIES = 6;
export const IDLE: Seeking = { kind: "idle" };

export function stepSeeking(seeking: Seeking, event: SeekingEvent): Seeking {
  switch (event.kind) {
    case "wanted":
      if (seeking.kind !== "idle") return seeking;
      return event.when === "now" ? { kind: "asking", tries: 1 } : { kind: "pausing" };
    case "noted":
      return seeking.kind === "asking" ? { kind: "awaiting", tries: seeking.tries } : seeking;
    case "failed":
      return seeking.kind === "asking" ? { kind: "resting", tries: seeking.tries } : seeking;
    case "elapsed":
      if (seeking.kind === "idle" || seeking.kind === "asking") return seeking;
      if (seeking.kind === "pausing") return { kind: "asking", tries: 1 };
      return seeking.tries < TRIES ? { kind: "asking", tries: seeking.tries + 1 } : IDLE;
    case "notNeeded":
      return seeking.kind === "idle" ? seeking : IDLE;
  }
}
