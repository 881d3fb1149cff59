/**
 * How the live links that one shard has for an endpoint stand to what is read (U10). Pure; the table says what they are
 * after an event.
 *
 * `on`: they have everything, and what is read is forwarded to them. `behind`: they stand at `from`, since their uplink
 * was congested, and are caught up page by page. `lost`: their continuity is certainly lost, for which they are sent an
 * answer that they didn't ask for.
 */
import type { ResetCause } from "../../shared/protocol/codes.ts";
import type { Position } from "../../shared/protocol/position.ts";

export type Forwarding =
  | { readonly kind: "on" }
  | { readonly kind: "behind"; readonly from: Position }
  | {
      readonly kind: "lost";
      readonly from: Position;
      readonly cause: ResetCause;
      /** Epochs of partitions that must be ready before they are told: what is known of these is not the last yet. */
      readonly until: readonly string[];
    };

export type ForwardingEvent =
  /** What came after `from` was not sent. */
  | { readonly kind: "congested"; readonly from: Position }
  /** A page of what they missed was sent, up to here. */
  | { readonly kind: "caughtUp"; readonly to: Position; readonly whole: boolean }
  /** `at`: where they stand, if they had everything until now. */
  | {
      readonly kind: "lost";
      readonly at: Position;
      readonly cause: ResetCause;
      readonly until: string | undefined;
    }
  /** They were told so, or none of them is live any more. */
  | { readonly kind: "told" }
  | { readonly kind: "left" };

type Kind = Forwarding["kind"];

/** `caughtUp`: the kind after the last page. */
export const FORWARDING: Readonly<Record<Kind, Readonly<Record<ForwardingEvent["kind"], Kind>>>> = {
  on: { congested: "behind", caughtUp: "on", lost: "lost", told: "on", left: "on" },
  behind: { congested: "behind", caughtUp: "on", lost: "lost", told: "on", left: "on" },
  lost: { congested: "lost", caughtUp: "lost", lost: "lost", told: "on", left: "on" },
};

export const ON: Forwarding = { kind: "on" };

export function stepForwarding(state: Forwarding, event: ForwardingEvent): Forwarding {
  const kind = FORWARDING[state.kind][event.kind];
  if (kind === "on") {
    const hasMore = event.kind === "caughtUp" && !event.whole && state.kind === "behind";
    return hasMore ? { kind: "behind", from: event.to } : ON;
  }
  if (event.kind === "lost") {
    const others = state.kind === "lost" ? state.until : [];
    const isNew = event.until !== undefined && !others.includes(event.until);
    const until = isNew && event.until !== undefined ? [...others, event.until] : others;
    return { kind: "lost", from: state.kind === "on" ? event.at : state.from, cause: event.cause, until };
  }
  return event.kind === "congested" && state.kind === "on" ? { kind: "behind", from: event.from } : state;
}
