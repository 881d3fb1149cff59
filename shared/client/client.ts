/**
 * Subscribes to endpoints, for browsers and Node from 22 on. It reconnects with full jitter, resumes by
 * position, drops duplicates, and says so when something is missing.
 *
 *   const subscription = subscribe("wss://example.org/quotes/AAPL");
 *   subscription.on("update", (update) => show(update.json()));
 *   subscription.on("gap", ({ cause }) => startOver(cause));
 *   const position = await subscription.publish(JSON.stringify({ bid: 229.1 }));
 *
 * One endpoint has a socket of its own; many share that of a connection:
 *
 *   const connection = connect("wss://example.org");
 *   for (const symbol of symbols) connection.subscribe(`/quotes/${symbol}`).on("update", show);
 *
 * connection.ts, subscription.ts, token.ts, asks.ts and publishing.ts decide; all else performs that.
 */
import { parseStart } from "../protocol/position.ts";
import { OCCUPANCY } from "../protocol/version.ts";
import type { Clock } from "./clock.ts";
import { Connection, type JoinOptions } from "./connect.ts";
import type { ConnectionChange } from "./connection-terms.ts";
import { resolveEdge, resolveEndpoint, SubscribeError } from "./endpoint-url.ts";
import type { ConnectionEvents, Listener, SubscriptionEvents } from "./events.ts";
import { SharedSubscription, Subscription } from "./handle.ts";
import { onOwnSocket } from "./own-socket.ts";
import type { PublishOrder } from "./publish-queue.ts";
import { PublishError, type PublishedValue, type PublisherLimits, type PublishOptions } from "./publisher.ts";
import { type ConnectOptions, settingsOf, type Timeouts } from "./settings.ts";
import type { Statistics, SubscriptionPhase } from "./subscription.ts";
import type { TokenSource } from "./token-keeper.ts";
import type { Socket, SocketEvents, Transport } from "./transport.ts";
import type { ReceivedUpdate } from "./update.ts";
import { webSocketTransport } from "./websocket.ts";

export type {
  Clock,
  ConnectionChange,
  ConnectionEvents,
  ConnectOptions,
  JoinOptions,
  Listener,
  PublishedValue,
  PublisherLimits,
  PublishOptions,
  PublishOrder,
  ReceivedUpdate,
  Socket,
  SocketEvents,
  Statistics,
  SubscriptionEvents,
  SubscriptionPhase,
  Timeouts,
  TokenSource,
  Transport,
};
export { Connection, PublishError, SharedSubscription, SubscribeError, Subscription, webSocketTransport };

export interface SubscribeOptions extends ConnectOptions {
  /**
   * Resume from here: what `position` said before, perhaps in an earlier page load. `oldest`: begin with as much history as
   * there is; the `verdict` says where that is. The URL's `from` does the same.
   */
  readonly from?: string | undefined;
  /** Be told how many subscribers there are, by `occupancy`. `?occupancy` in the URL does the same. */
  readonly occupancy?: true | undefined;
}

/**
 * Begins at once, and goes on until close() or until the edge says that it will never do.
 *
 * `url` is an endpoint's, `ws:`, `wss:`, `http:` or `https:`, in a page also relative to it; another spelling
 * than the canonical one is put right. No event comes before this returns. Throws SubscribeError with
 * `bad_address`, `not_found`, `key_too_long` (the URL is no endpoint's) or `bad_position` (`from`), or
 * `invalid_token` (`token`).
 */
export function subscribe(url: string, options: SubscribeOptions = {}): Subscription {
  const endpoint = resolveEndpoint(url);
  const { searchParams } = endpoint.url;
  const given = options.from ?? searchParams.get("from");
  const start = given === null ? undefined : parseStart(given);
  if (given !== null && start === undefined)
    throw new SubscribeError("bad_position", `not a position: ${given}`);
  // From now on the subscription knows where it is.
  searchParams.delete("from");
  const occupancy = options.occupancy ?? (searchParams.has(OCCUPANCY) || undefined);
  return onOwnSocket(endpoint, { start, occupancy }, settingsOf(options));
}

/**
 * One connection for many endpoints: dials at once, and goes on until close() or until the edge says that it will never do.
 * `url` is the edge's, `ws:`, `wss:`, `http:` or `https:`, in a page also relative to it. Throws SubscribeError with
 * `bad_address`, `not_found` (the URL has a path that doesn't end with a slash) or `invalid_token` (`token`).
 */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  return new Connection(resolveEdge(url), settingsOf(options));
}
