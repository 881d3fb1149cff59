/**
 * One publish of a client, from when it is asked for to its one outcome: W28 of PROTOCOL.md, which has this as a table. Pure.
 * What was sent and not answered may be a record, so from then on only its position, or that its key is another publish's, is
 * certain: the same is sent again with the same key until one of these is said, or its time is over.
 */
import type { ErrorBody } from "../protocol/error-body.ts";

export type PublicationState =
  | { readonly kind: "waiting" }
  | { readonly kind: "sent"; readonly id: number }
  | { readonly kind: "doubtful" }
  | { readonly kind: "resent"; readonly id: number }
  /** `refused`: it isn't published, and won't be. `unsent`: the same, since its time is over. */
  | { readonly kind: "over"; readonly how: "published" | "refused" | "unsent" | "unknown" };

export type PublicationEvent =
  | { readonly kind: "send"; readonly id: number }
  | { readonly kind: "published" }
  /** It can't be published as it is. */
  | { readonly kind: "refused" }
  /** Its key was used for another publish. */
  | { readonly kind: "reused" }
  /** Not now, and nothing was done. */
  | { readonly kind: "putOff" }
  /** Nobody knows: that was the answer, or none came, or the socket is lost. */
  | { readonly kind: "unknown" }
  | { readonly kind: "late" };

export const WAITING = { kind: "waiting" } as const;
const DOUBTFUL = { kind: "doubtful" } as const;

const over = (how: Extract<PublicationState, { kind: "over" }>["how"]): PublicationState => ({
  kind: "over",
  how,
});

export function stepPublication(state: PublicationState, event: PublicationEvent): PublicationState {
  switch (state.kind) {
    case "waiting":
      if (event.kind === "send") return { kind: "sent", id: event.id };
      return event.kind === "late" ? over("unsent") : state;
    case "doubtful":
      if (event.kind === "send") return { kind: "resent", id: event.id };
      return event.kind === "late" ? over("unknown") : state;
    case "sent":
      return fromSent(state, event);
    case "resent":
      return fromResent(state, event);
    case "over":
      return state;
  }
}

function fromSent(state: PublicationState, event: PublicationEvent): PublicationState {
  switch (event.kind) {
    case "published":
      return over("published");
    case "refused":
    case "reused":
      return over("refused");
    case "putOff":
      return WAITING;
    case "unknown":
      return DOUBTFUL;
    case "late":
      return over("unknown");
    case "send":
      return state;
  }
}

function fromResent(state: PublicationState, event: PublicationEvent): PublicationState {
  switch (event.kind) {
    case "published":
      return over("published");
    case "reused":
      return over("refused");
    case "refused":
    case "late":
      return over("unknown");
    case "putOff":
    case "unknown":
      return DOUBTFUL;
    case "send":
      return state;
  }
}

/** Errors after which the same may be tried again, and which say that nothing was done (W5). */
const NOTHING_DONE: readonly string[] = [
  "unavailable",
  "not_writable",
  "overloaded",
  "in_flight",
  "rate_limited",
];

/** What an error says of the publish that it answers. */
export function meaningOf({ code, retry }: ErrorBody): PublicationEvent {
  if (!retry) return { kind: code === "id_reused" ? "reused" : "refused" };
  return { kind: NOTHING_DONE.includes(code) ? "putOff" : "unknown" };
}
