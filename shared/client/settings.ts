/** What users may set, for a subscription on a socket of its own as for a connection of many endpoints, and what holds unless they do. */
import type { BackoffBounds } from "../core/backoff.ts";
import { CLIENT_LIMITS } from "../protocol/client-limits.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { ConnectionLimits } from "./connection-terms.ts";
import { SubscribeError } from "./endpoint-url.ts";
import type { PublisherLimits } from "./publisher.ts";
import type { SubscriptionLimits } from "./subscription.ts";
import { isToken, type TokenSource } from "./token-keeper.ts";
import type { TokenLimits } from "./token-terms.ts";
import type { Transport } from "./transport.ts";
import { webSocketTransport } from "./websocket.ts";

export interface ConnectOptions {
  /**
   * For streams that aren't public: a token, or what fetches one. It is called when a token is needed: before the first dial,
   * in time before the present one expires, and when the edge refused that. Never twice at once, and not for every reconnect.
   * If it fails, it is called again with growing delays, up to 200 times in a row. `""`: go without.
   */
  readonly token?: TokenSource | undefined;
  /** Delays between attempts to reconnect: by default up to 0.5 s at first and up to 30 s in the end. */
  readonly backoff?: BackoffBounds;
  readonly timeouts?: Partial<Timeouts>;
  /** How much is published at once, and for how long each of it is tried. */
  readonly publishing?: Partial<PublisherLimits>;
  readonly transport?: Transport;
  readonly clock?: Clock;
}

export type Timeouts = Omit<ConnectionLimits, "backoff"> & SubscriptionLimits & TokenLimits;

export interface Settings {
  readonly token: TokenSource;
  readonly limits: Timeouts & { readonly backoff: BackoffBounds };
  readonly publishing: PublisherLimits;
  readonly transport: Transport;
  readonly clock: Clock;
}

const BACKOFF: BackoffBounds = { baseMs: 500, maxMs: 30_000 };

const TIMEOUTS: Timeouts = {
  connectMs: 10_000,
  quietMs: 15_000,
  silenceMs: 10_000,
  steadyMs: 5_000,
  explainMs: 60_000,
  lookMs: 1_000,
  answerMs: 30_000,
  sourceMs: 30_000,
  renewalMs: 15_000,
};

const PUBLISHING: PublisherLimits = {
  maxPublishes: 1_000,
  maxBytes: 16 * 1024 * 1024,
  atOnce: 32,
  again: { baseMs: 100, maxMs: 5_000 },
  publishAnswerMs: 20_000,
  publishMs: 300_000,
  // What an edge takes unless it was told otherwise.
  frameBytes: 1024 * 1024 + CLIENT_LIMITS.publicationRoomBytes,
};

/** Throws SubscribeError with `invalid_token`. */
export function settingsOf(options: ConnectOptions): Settings {
  const { token = "", backoff, timeouts, publishing, transport, clock } = options;
  if (typeof token === "string" && !isToken(token))
    throw new SubscribeError("invalid_token", "the token has characters that none has, or too many");
  return {
    token,
    limits: { ...TIMEOUTS, ...timeouts, backoff: backoff ?? BACKOFF },
    publishing: { ...PUBLISHING, ...publishing },
    transport: transport ?? webSocketTransport,
    clock: clock ?? systemClock,
  };
}
