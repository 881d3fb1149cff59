/** Those of the protocol's bounds that a client goes by, apart from the others, since every page that subscribes loads this. */
export const CLIENT_LIMITS = {
  /** Longer keys have no endpoint. */
  keyBytes: 1_024,
  /** A record whose value is larger is announced, but its value does not travel. */
  valueBytes: 8 * 1024 * 1024,
  /** How deep arrays and objects of a value may lie in one another; JSON that is deeper is text. */
  jsonDepth: 128,
  /** Components of a position that a client may say, and of one that it is told because of what it named. */
  positionComponents: 64,
  /** One message of a subscriber. */
  subscriberMessageBytes: 16 * 1024,
  /** A message of a subscriber that may publish has so many bytes beside the value. */
  publicationRoomBytes: 16 * 1024,
  /** Endpoints of one event stream (E7). */
  streamEndpoints: 16,
} as const;
