/**
 * What carries a connection: a WebSocket (websocket.ts), requests where none gets through (requests/), or whatever a caller puts around
 * or in place of these. What decides hears the same frames from each.
 */

import type { ErrorBody } from "../protocol/error-body.ts";
import type { Message } from "../protocol/message.ts";

export interface Transport {
  /**
   * Dials. Never throws, and never calls back before it has returned: whatever happens comes as an event.
   * `url` is absolute and starts with `ws:` or `wss:`. `token` is carried beside it, never in it; `""`: none.
   */
  dial(url: string, events: SocketEvents, token: string): Socket;
  /**
   * Asks over HTTP what is wrong with a URL that could not be dialled, since a WebSocket in a page doesn't
   * tell. undefined if nothing is, or if nobody knows. Never rejects.
   */
  explain(url: string, token: string): Promise<Explanation | undefined>;
}

export interface Explanation {
  /** Whatever else than an edge answers, or doesn't, may do later (`retry`). undefined: nothing is wrong by HTTP. */
  readonly error: ErrorBody | undefined;
  /** The least that the next dial should wait for, in milliseconds; undefined if nothing was said of that. */
  readonly retryAfterMs: number | undefined;
}

/** What a connection goes over: `events` are event streams, `poll` requests that end when there is something to tell. */
export type Way = "websocket" | "events" | "poll";

export interface SocketEvents {
  /** `way`: over what, if that is to be told. */
  opened(way?: Way): void;
  message(message: Message): void;
  /** Comes once and last, also for a dial that failed (1006). */
  closed(code: number, reason: string): void;
}

export interface Socket {
  /** Does nothing once the socket is closing. */
  send(message: Message): void;
  /** Closes the socket, or gives the dial up. Events may still follow. */
  close(): void;
}
