/** What connection.ts goes by: its state, what happens, and what is to be done. */
import type { BackoffBounds } from "../core/backoff.ts";
import type { ErrorBody } from "../protocol/error-body.ts";
import type { Way } from "./transport.ts";

export type ConnectionPhase = "idle" | "connecting" | "open" | "probing" | "backingOff" | "barred" | "closed";

/** All in milliseconds. */
export interface ConnectionLimits {
  readonly backoff: BackoffBounds;
  /** A dial that takes longer has failed. */
  readonly connectMs: number;
  /** When nothing was heard for so long, ask whether the other end is there. */
  readonly quietMs: number;
  /** When nothing at all is heard for so long after that, it is not. */
  readonly silenceMs: number;
  /** A connection that lasted so long was a good one: the next delay is a short one again. */
  readonly steadyMs: number;
  /** When no dial has succeeded for so long, ask what is the matter, and again as long after that. */
  readonly explainMs: number;
  /** When the network may have changed: an answer to a ping, or to a dial, that takes longer won't come. */
  readonly lookMs: number;
}

export interface ConnectionState {
  readonly phase: ConnectionPhase;
  /** How many connections in a row failed or did not last. */
  readonly attempt: number;
  /** From when on a dial that fails is asked about; undefined until one has failed since the last that succeeded. */
  readonly explainAt: number | undefined;
  /** While backing off: when the next dial is due. While connecting: when it was made. */
  readonly dialAt: number;
  /** While probing: by when something must be heard. */
  readonly answerBy: number;
  /** It slept, and what it had may be lost by that: it comes back at once, since it does so alone. */
  readonly isWaking: boolean;
  /** No dial is made before this: it was said that it would come to nothing. */
  readonly notBefore: number;
  readonly openedAt: number;
  readonly heardAt: number;
}

export interface ConnectionPayloads {
  /** There is a token to dial with, or none is needed. */
  start: object;
  opened: { readonly way?: Way | undefined };
  /** Any message. */
  heard: object;
  /** The other end, or something in between, ended the socket; or the dial failed. */
  dropped: { readonly code: number; readonly reason: string };
  /** The timer that the last `schedule` set. */
  timer: object;
  /** The network may have changed, after a sleep of so long (0: none): see at once whether the connection is good. */
  look: { readonly sleptMs: number };
  /** What comes is of no use: try another connection. */
  reconnect: { readonly reason: string };
  /** The answer to `explain`: the address, or the token, will never do. */
  refused: { readonly error: ErrorBody };
  /** The answer to `explain`: it will do later, but not before so long. */
  putOff: { readonly afterMs: number };
  /** What was waited for before `start` will never come. */
  noToken: { readonly error: ErrorBody };
  close: { readonly reason: string };
}

export type ConnectionEvent<K extends keyof ConnectionPayloads = keyof ConnectionPayloads> = {
  [P in K]: { readonly kind: P } & ConnectionPayloads[P];
}[K];

export type ConnectionEffect =
  | { readonly kind: "dial" }
  /** Close the socket, if there is one, and take no more notice of it. */
  | { readonly kind: "hangUp" }
  | { readonly kind: "ping" }
  /** Sets the one timer; the one before it is cancelled. */
  | { readonly kind: "schedule"; readonly afterMs: number }
  | { readonly kind: "cancel" }
  /** Find out whether the edge refuses the address. */
  | { readonly kind: "explain" }
  /** The edge would not have the token: find another, and `start` again. */
  | { readonly kind: "tokenRefused"; readonly error: ErrorBody }
  | { readonly kind: "error"; readonly error: ErrorBody }
  | ({ readonly kind: "changed" } & ConnectionChange);

/** What subscribers are told. `probing` is not told: the connection is open until it is shown not to be. */
export interface ConnectionChange {
  readonly state: "connecting" | "open" | "backingOff" | "closed";
  /** WebSocket close code; undefined if no close frame was the cause. */
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
  /** Milliseconds until the next dial, where there will be one. */
  readonly retryMs?: number | undefined;
  /** While it is open: over what. */
  readonly way?: Way | undefined;
  /** While it isn't: why not, in words, as far as that could be found out. */
  readonly problem?: ErrorBody | undefined;
}

export interface ConnectionContext {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  readonly limits: ConnectionLimits;
}

export interface ConnectionStep {
  readonly state: ConnectionState;
  readonly effects: readonly ConnectionEffect[];
}
