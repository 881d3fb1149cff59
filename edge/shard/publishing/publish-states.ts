/**
 * One publish at a shard, from when it comes to its one answer: W9 of INTERNALS.md, which has this as a table. Pure. A
 * publish that was sent to an origin that went without a word may be in the log. From then on only two answers are certain: its
 * position, and that its id is another publish's. So the same id is sent again until one of these comes, or its time is over.
 */
export type PublishState<T> =
  | { readonly kind: "new" }
  | { readonly kind: "sent"; readonly to: T }
  | { readonly kind: "doubtful" }
  | { readonly kind: "retried"; readonly to: T }
  | { readonly kind: "over"; readonly how: "answered" | "unavailable" | "unknown" };

export type PublishEvent<T> =
  | { readonly kind: "put"; readonly to: T }
  /** Its position, or that its id was used for another publish. */
  | { readonly kind: "certain" }
  /** It can't be published as it is. */
  | { readonly kind: "refused" }
  | { readonly kind: "notWriter" }
  /** Not now: too much waits, the log can't be reached, or the same is under way. */
  | { readonly kind: "busy" }
  | { readonly kind: "unknown" }
  /** Whoever was to answer is gone, or silent. */
  | { readonly kind: "lost" }
  | { readonly kind: "late" };

const ANSWERED = { kind: "over", how: "answered" } as const;
const UNAVAILABLE = { kind: "over", how: "unavailable" } as const;
const UNKNOWN = { kind: "over", how: "unknown" } as const;
const NEW = { kind: "new" } as const;
const DOUBTFUL = { kind: "doubtful" } as const;

export function stepPublish<T>(state: PublishState<T>, event: PublishEvent<T>): PublishState<T> {
  switch (state.kind) {
    case "new":
      if (event.kind === "put") return { kind: "sent", to: event.to };
      return event.kind === "late" ? UNAVAILABLE : state;
    case "doubtful":
      if (event.kind === "put") return { kind: "retried", to: event.to };
      return event.kind === "late" ? UNKNOWN : state;
    case "sent":
      return fromSent(state, event);
    case "retried":
      return fromRetried(state, event);
    case "over":
      return state;
  }
}

function fromSent<T>(state: PublishState<T>, event: PublishEvent<T>): PublishState<T> {
  switch (event.kind) {
    case "certain":
    case "refused":
    case "busy":
      return ANSWERED;
    case "notWriter":
      return NEW;
    case "unknown":
    case "lost":
      return DOUBTFUL;
    case "late":
      return UNKNOWN;
    case "put":
      return state;
  }
}

function fromRetried<T>(state: PublishState<T>, event: PublishEvent<T>): PublishState<T> {
  switch (event.kind) {
    case "certain":
      return ANSWERED;
    case "refused":
    case "late":
      return UNKNOWN;
    case "notWriter":
    case "busy":
    case "unknown":
    case "lost":
      return DOUBTFUL;
    case "put":
      return state;
  }
}
