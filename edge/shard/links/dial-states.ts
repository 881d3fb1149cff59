/**
 * How the dialling of one object goes: L1 of INTERNALS.md. Pure.
 *
 *            ┌────────── opened, or failed for the last time ─────────┐
 *            ▼                                                        │
 *   idle ──dial──▶ due ──────────────── its turn ─────────────────▶ open
 *     │             ▲ time is up, or dial                             │
 *     └──later──▶ waits ◀──────────────── failed ─────────────────────┘      forget: idle, from wherever
 */

import { backoff } from "../../../shared/core/backoff.ts";
import { TIME_LIMITS } from "../../time-limits.ts";

export type DialState =
  /** Nothing is to be done. */
  | { readonly kind: "idle" }
  /** For up to so long. `tries`: how often it has failed. */
  | { readonly kind: "waits"; readonly tries: number; readonly upToMs: number }
  /** It waits for its turn. */
  | { readonly kind: "due"; readonly tries: number }
  /** It is being dialled. */
  | { readonly kind: "open"; readonly tries: number };

export type DialEvent =
  /** Its object says that it is there: what it waited for may be over. */
  | { readonly kind: "dial" }
  /** It is to be dialled, and others are to have a chance before it. */
  | { readonly kind: "later"; readonly upToMs: number }
  | { readonly kind: "timeIsUp" }
  | { readonly kind: "turn" }
  | { readonly kind: "opened" }
  | { readonly kind: "failed" }
  | { readonly kind: "forget" };

/** An object that can't be dialled so often, which takes minutes, is given up. */
export const TRIES = 10;
export const RETRY = TIME_LIMITS.objectDialAgain;

export const IDLE: DialState = { kind: "idle" };

export function stepDial(state: DialState, event: DialEvent): DialState {
  switch (event.kind) {
    case "dial":
      if (state.kind === "idle") return { kind: "due", tries: 0 };
      return state.kind === "waits" ? { kind: "due", tries: state.tries } : state;
    case "later":
      return state.kind === "idle" ? { kind: "waits", tries: 0, upToMs: event.upToMs } : state;
    case "timeIsUp":
      return state.kind === "waits" ? { kind: "due", tries: state.tries } : state;
    case "turn":
      return state.kind === "due" ? { kind: "open", tries: state.tries } : state;
    case "opened":
      return state.kind === "open" ? IDLE : state;
    case "failed":
      return state.kind === "open" ? failed(state.tries + 1) : state;
    case "forget":
      return IDLE;
  }
}

function failed(tries: number): DialState {
  return tries < TRIES ? { kind: "waits", tries, upToMs: backoff(tries - 1, RETRY, 1) } : IDLE;
}
