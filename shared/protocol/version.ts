/**
 * Versions and how they are negotiated: rules V1–V5 of PROTOCOL.md.
 *
 * History
 *   1  first version
 */

/** The version of every frame and hello in this tree. */
export const VERSION = 1;

/** WebSocket subprotocol of subscribers. */
export const SUBSCRIBER_PROTOCOL = `distributary.v${VERSION}`;

/** Before a token, the entry of a subscriber's `Sec-WebSocket-Protocol` that carries it beside the one above (S21). */
export const BEARER_PROTOCOL = "distributary.bearer.";

/** WebSocket subprotocol between an origin and a shard. */
export const UPLINK_PROTOCOL = `distributary.uplink.v${VERSION}`;

/** The audience of an origin's token (U1). */
export const UPLINK_AUDIENCE = "distributary-uplink";

/** Where everything that is not an endpoint lives: `$` cannot start the name of a topic. */
export const ROUTES = {
  home: "/$/",
  health: "/$/health",
  streams: "/$/streams",
  client: "/$/client.js",
  operations: "/$/operations",
  connect: "/$/connect",
  uplink: "/$/uplink",
  revocations: "/$/revocations",
  probe: "/$/probe",
} as const;

/** The query parameter of one who wants to know how many subscribers there are (O1, O4). */
export const OCCUPANCY = "occupancy";

/** The query parameter of an event stream that is to end by itself (E8). */
export const WAIT = "wait";

/** Of a request that publishes: what its client calls it, and the beginnings of names that become headers of the record. */
export const PUBLISH_HEADERS = {
  key: "Idempotency-Key",
  text: "Distributary-Header-",
  base64: "Distributary-Base64-Header-",
} as const;
