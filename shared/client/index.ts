/** `@distributary/client`: all that an application imports. */
export {
  Client,
  type ClientEvents,
  type ClientOptions,
  type GetOptions,
  type PublishOptions,
} from "./api/client.ts";
export { bytesCodec, type Codec, type RawValue, type Reading, type Schema, textCodec } from "./api/codec.ts";
export type { Endpoint } from "./api/endpoint.ts";
export { ClientError } from "./api/error.ts";
export type { GroupEvents, ManyOptions, SubscriptionGroup } from "./api/group.ts";
export type { Events, SubscribeOptions, Subscription } from "./api/subscription.ts";
export type { BufferOptions, WhenFull } from "./api/unread.ts";
export type { DecodedUpdate as Update, Gap } from "./api/update.ts";
export { withFallback } from "./choosing.ts";
export type { Clock } from "./clock.ts";
export type { ConnectionChange } from "./connection-terms.ts";
export { SubscribeError } from "./endpoint-url.ts";
export type { PublishOrder } from "./publish-queue.ts";
export { PublishError, type PublisherLimits } from "./publisher.ts";
export type { Latest } from "./requests/latest.ts";
export type { ConnectOptions, Timeouts } from "./settings.ts";
export type { TokenSource } from "./token-keeper.ts";
export type { Explanation, Socket, SocketEvents, Transport, Way } from "./transport.ts";
export { type OpenWebSocket, transportOver } from "./websocket.ts";
