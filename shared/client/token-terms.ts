/** What token.ts goes by: its state, what happens, and what is to be done; and what the edge says of a token. */
import { TOKEN_CLOSES } from "../protocol/codes.ts";
import type { ErrorBody } from "../protocol/error-body.ts";

/** A token that the edge would not have, and what it said. */
export interface Refusal {
  readonly token: string;
  readonly error: ErrorBody;
}

export interface Lack {
  readonly refused: Refusal | undefined;
  /** Tokens in a row that were refused. */
  readonly refusals: number;
  /** Times in a row that the source failed. */
  readonly failures: number;
}

/** `tries`: attempts to renew since the edge said that the token expires. */
export type TokenState =
  | { readonly kind: "unasked" }
  /** `shared`: the source was asked before the refusal, so it may answer with the token that was refused. */
  | ({ readonly kind: "asking"; readonly shared: boolean } & Lack)
  | ({ readonly kind: "pausing" } & Lack)
  | {
      readonly kind: "held";
      readonly token: string;
      readonly accepted: boolean;
      readonly refusals: number;
    }
  | { readonly kind: "due"; readonly token: string; readonly tries: number }
  | { readonly kind: "renewing"; readonly token: string; readonly tries: number }
  /** The source was asked on a socket that is gone; meanwhile dials take the token that there is. */
  | { readonly kind: "replacing"; readonly token: string; readonly tries: number }
  | {
      readonly kind: "sent";
      readonly token: string;
      readonly next: string;
      readonly id: number;
      readonly tries: number;
    }
  | { readonly kind: "doomed"; readonly token: string; readonly error: ErrorBody }
  | { readonly kind: "ended" };

export type TokenPhase = TokenState["kind"];

export interface TokenPayloads {
  start: object;
  /** The source's answer. */
  fetched: { readonly token: string };
  failed: { readonly problem: string };
  /** The timer that the last `schedule` set. */
  timer: object;
  /** The network may have changed, after a sleep of so long. */
  look: { readonly sleptMs: number };
  /** A dial was made, with the token that there is. */
  dialled: object;
  lost: object;
  /** A subscribe with the token was answered. */
  accepted: object;
  /** The edge says how long the token has left. */
  expires: { readonly inMs: number };
  renewed: { readonly id: number };
  /** A frame was answered with an error. */
  rejected: { readonly id: number | undefined; readonly error: ErrorBody };
  /** The edge closed the socket, or refused the dial, because of the token. */
  refused: { readonly error: ErrorBody };
  close: object;
}

export type TokenEvent<K extends keyof TokenPayloads = keyof TokenPayloads> = {
  [P in K]: { readonly kind: P } & TokenPayloads[P];
}[K];

export type TokenEffect =
  | { readonly kind: "ask" }
  /** There is a token: dials may be made. */
  | { readonly kind: "ready" }
  | { readonly kind: "send"; readonly id: number; readonly token: string }
  /** Sets the one timer; the one before it is cancelled. */
  | { readonly kind: "schedule"; readonly afterMs: number }
  | { readonly kind: "cancel" }
  | { readonly kind: "error"; readonly error: ErrorBody }
  /** No token will do: the subscription is over. */
  | { readonly kind: "end"; readonly error: ErrorBody };

/** All in milliseconds. */
export interface TokenLimits {
  /** A source that hasn't answered for so long has failed. */
  readonly sourceMs: number;
  /** A renewal that the edge hasn't answered for so long is tried again. */
  readonly renewalMs: number;
}

export interface TokenContext {
  /** In [0, 1). */
  readonly random: number;
  /** The next frame on the open socket may have this id. */
  readonly nextId: number;
  /** Over so long those spread who hear the same at once. Who has slept hears it alone. */
  readonly spreadMs: number;
  readonly limits: TokenLimits;
}

export interface TokenStep {
  readonly state: TokenState;
  readonly effects: readonly TokenEffect[];
}

export function isTokenError({ code }: ErrorBody): boolean {
  return TOKEN_CLOSES.some((name) => name === code);
}
