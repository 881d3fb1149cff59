/**
 * In which state a subscription can be, and what changes that: S2–S5 of PROTOCOL.md, R2 of INTERNALS.md. Pure.
 *
 *   subscribe ──▶ waiting ──told──▶ told
 *                    │                │
 *                    └─────served─────┴──▶ lagging, if more is due ──served──▶ live
 *                                             ▲                                 │
 *                                             └────────────recalled─────────────┘
 */
import type { Position } from "../../shared/protocol/position.ts";

export type Subscription =
  /** Its verdict is due. */
  | { readonly kind: "waiting"; readonly from: Position | undefined; readonly since: number }
  /** The same, and it was told to wait (S4). */
  | { readonly kind: "told"; readonly from: Position | undefined; readonly since: number }
  /** It has its verdict, stands at `from`, and wants what follows. */
  | { readonly kind: "lagging"; readonly from: Position; readonly since: number }
  /** It is sent what comes. `beyond`: where it stands in epochs of which its endpoint state has nothing. */
  | { readonly kind: "live"; readonly beyond: Position | undefined };

/** Of a subscriber what outlives the memory. */
export interface SubscriptionFacts {
  /** Of the last subscribe. */
  readonly id: number;
  readonly subscription: Subscription;
  /** It wants to be told how many subscribers there are (O4); left out if not. */
  readonly occupancy?: true | undefined;
}

/** One that is not live. `since`: when it began to wait, in milliseconds since 1970. */
export type Waiting = Exclude<Subscription, { kind: "live" }>;

export type SubscriptionEvent =
  /** It was told that its verdict will take time. */
  | { readonly kind: "told" }
  /** It was sent what leads up to the present, its verdict first if that was due. */
  | { readonly kind: "served"; readonly upTo: "live"; readonly beyond: Position | undefined }
  /** The same, but there is more to come after this. */
  | { readonly kind: "served"; readonly upTo: Position }
  /** What it was proved in epochs of which its endpoint state has nothing is to be proved anew, from where it stands. */
  | { readonly kind: "recalled"; readonly from: Position; readonly since: number };

/** A subscribe begins anew, whatever there was on its socket (S2). */
export function subscribed(from: Position | undefined, since: number): Waiting {
  return { kind: "waiting", from, since };
}

export function stepSubscription(subscription: Subscription, event: SubscriptionEvent): Subscription {
  const isLive = subscription.kind === "live";
  switch (event.kind) {
    case "told":
      return subscription.kind === "waiting" ? { ...subscription, kind: "told" } : subscription;
    case "served":
      if (isLive) return subscription;
      if (event.upTo === "live") return { kind: "live", beyond: event.beyond };
      return { kind: "lagging", from: event.upTo, since: subscription.since };
    case "recalled":
      return isLive ? { kind: "lagging", from: event.from, since: event.since } : subscription;
  }
}

export function hasVerdict(kind: Subscription["kind"] | undefined): boolean {
  return kind === "live" || kind === "lagging";
}

/** What is kept of a subscriber. */
export function factsOf({ id, subscription, occupancy }: SubscriptionFacts): SubscriptionFacts {
  return occupancy ? { id, subscription, occupancy } : { id, subscription };
}
