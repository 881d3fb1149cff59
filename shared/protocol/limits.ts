/** Every bound of the protocol in one place: the sections "Limits" of PROTOCOL.md and INTERNALS.md. Bytes unless named otherwise. */
import { CLIENT_LIMITS } from "./client-limits.ts";

export const LIMITS = {
  ...CLIENT_LIMITS,
  /** One frame of an update; a record that would make a larger one travels without its headers or its value. */
  frameBytes: 16 * 1024 * 1024,
  /** An answer to a question holds a value as it was produced if it is larger, or none if the question is brief. */
  questionValueBytes: 16 * 1024,
  /** No log's end is further: at a million records a second that would take 142 years (U17). */
  plausibleOffset: 2 ** 52,
  /** Frames in one of these. */
  subscriberMessageFrames: 64,
  /** A batch is closed at this size; a single larger frame travels alone. */
  batchBytes: 256 * 1024,
  /** One answer to an attach: at most this much, at least one update. */
  answerUpdates: 1_000,
  answerBytes: 1024 * 1024,
  /** Unsent bytes at which a subscriber is closed with `slow_consumer`. */
  subscriberBacklogBytes: 256 * 1024,
  /** Unsent bytes at which a link is closed and dialled again. */
  linkBacklogBytes: 16 * 1024 * 1024,
  /** Unsent bytes at which an origin stops forwarding on an uplink until it has drained. */
  uplinkBacklogBytes: 16 * 1024 * 1024,
  /** Attaches of one endpoint on one link that aren't answered: the object's own, and 8 of each of two kinds (R2). */
  openAsks: 17,
  /** Uplinks that stand by at one shard for one slice, beside the active one. */
  standbysPerSlice: 8,
  /** Shards of an edge (U1). */
  shards: 64,
  /** Edges that share an address (D5). */
  edgesAtAddress: 64,
  /** Endpoints of which a shard asks how many subscribers other edges have, and an origin asks one for others (D6). */
  countsElsewhere: 10_000,
  /** Endpoints of which a shard tells one origin how many subscribers it has. */
  countsForOrigin: 20_000,
  /** Slices into which origins may divide the partitions. */
  slices: 64,
  /** Numbers of slices at once. Two would do, but an odd one must keep nobody from these (N9). */
  sliceCounts: 8,
  /** What a shard holds of answers of some slices until the others have answered, for all endpoints. */
  scatterGatherBytes: 32 * 1024 * 1024,
  /** Publishes of one shard that aren't answered yet, and their bytes. */
  openPublishes: 5_000,
  openPublishBytes: 32 * 1024 * 1024,
  /** The header of a binary frame that publishes; headers of the record may stand there as base64. */
  publicationHeadBytes: 32 * 1024,
  /** One publish counts as several, one for each such part of it that has begun (W25). */
  publicationUnitBytes: 64 * 1024,
  /** What an object holds of publishes while it has no link: in frames, and in bytes. */
  heldPublishes: 64,
  heldPublishBytes: 2 * 1024 * 1024,
  /** Unsent bytes on a link at which an object passes no publish on. */
  publishBacklogBytes: 4 * 1024 * 1024,
  /** What a client calls its publish. */
  publishKeyCharacters: 255,
  /** Headers of a record that is published, and their bytes. */
  publishHeaders: 50,
  publishHeaderBytes: 16 * 1024,
  /** For so long a publish that comes again is the same (W3). */
  publishWindowSeconds: 600,
  /** Subscribers of one object: a limit of the platform, less some room for links. */
  subscribersPerObject: 32_000,
  /** Objects beside an endpoint's own that take subscribers of one region when that is full (A11). */
  relaysPerEndpoint: 32,
  /** What an object of many endpoints holds at most: of these, and of subscriptions to them. */
  relayEndpoints: 10_000,
  relaySubscriptions: 200_000,
} as const;
