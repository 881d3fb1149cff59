/**
 * What a connection follows, path by path: M3–M5 and M8 of PROTOCOL.md. Pure. Each subscribe is answered once, whatever comes
 * in between, and after the answer to an `unsub` nothing more is said of its path.
 *
 *   none ──sub──▶ asked ──verdict──▶ answered ──ends──▶ none
 *                  ▲ │                  │
 *                  └─┴──────sub─────────┘        unsub: none, from wherever
 *
 * A verdict comes from the endpoint's state (../endpoint/subscription-states.ts), which alone knows when.
 */
import type { SubscriptionFacts } from "../endpoint/subscription-states.ts";

export type Follow =
  | { readonly kind: "none" }
  /** The answer to its last subscribe is due. */
  | { readonly kind: "asked"; readonly id: number }
  /** It has its verdict. */
  | { readonly kind: "answered"; readonly id: number };

export type FollowEvent =
  /** A subscribe that is allowed. */
  | { readonly kind: "sub"; readonly id: number }
  | { readonly kind: "unsub"; readonly id: number }
  /** The edge ends it. */
  | { readonly kind: "ends" };

/** What the client is told at that, in this order. */
export type Told =
  /** Another took the place of a subscribe that wasn't answered. */
  | { readonly kind: "superseded"; readonly id: number }
  | { readonly kind: "unsubscribed"; readonly id: number }
  /** A subscribe that wasn't answered gets the reason as its error. */
  | { readonly kind: "refused"; readonly id: number }
  /** A subscription that had its verdict ends. */
  | { readonly kind: "ended" };

export interface FollowStep {
  readonly after: Follow;
  readonly tells: readonly Told[];
}

const NONE: Follow = { kind: "none" };

export function followOf(facts: SubscriptionFacts | undefined): Follow {
  if (facts === undefined) return NONE;
  const { id, subscription } = facts;
  const isDue = subscription.kind === "waiting" || subscription.kind === "told";
  return { kind: isDue ? "asked" : "answered", id };
}

export function stepFollow(follow: Follow, event: FollowEvent): FollowStep {
  const superseded: readonly Told[] = follow.kind === "asked" ? [{ kind: "superseded", id: follow.id }] : [];
  switch (event.kind) {
    case "sub":
      return { after: { kind: "asked", id: event.id }, tells: superseded };
    case "unsub":
      return { after: NONE, tells: [...superseded, { kind: "unsubscribed", id: event.id }] };
    case "ends":
      return { after: NONE, tells: toldAtItsEnd(follow) };
  }
}

function toldAtItsEnd(follow: Follow): readonly Told[] {
  switch (follow.kind) {
    case "none":
      return [];
    case "asked":
      return [{ kind: "refused", id: follow.id }];
    case "answered":
      return [{ kind: "ended" }];
  }
}
