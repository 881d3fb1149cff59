/**
 * What the estimate takes from measurements, and from what the platform documents. PROFILE.md says how the times were
 * measured: they are of one machine, and of workerd without Cloudflare's network around it.
 */
import { LIMITS } from "../../shared/protocol/limits.ts";

/** CPU milliseconds of an endpoint's object. */
interface Activity {
  /** For each message from its shard. */
  readonly updateMs: number;
  /** More, for each further update in that message. */
  readonly batchedUpdateMs: number;
  /** For each message to a subscriber. */
  readonly deliveryMs: number;
  readonly subscribeMs: number;
  /** More, of the Worker and not of the object, for a message that it passes on as an event of a stream. */
  readonly streamMs: number;
  /** More, where the object had hibernated: for itself, and for each subscriber whose socket it must read. */
  readonly wakeMs: { readonly object: number; readonly subscriber: number };
  /** How long an object that has no link yet waits for it, which keeps it awake. */
  readonly seekSeconds: number;
}

export const MEASURED = {
  /**
   * By profile a third of a fan-out is spent before the handler returns. A subscribe and a wake were measured as a
   * whole only (a wake with 10 subscribers: 2 ms); the same share is taken of them.
   */
  handlers: {
    updateMs: 0.015,
    batchedUpdateMs: 0.005,
    deliveryMs: 0.01,
    subscribeMs: 0.17,
    streamMs: 0.017,
    wakeMs: { object: 0.33, subscriber: 0.033 },
    seekSeconds: 5,
  },
  /** The highest that were seen: few updates in many objects, so that every cache is cold, on a machine that is busy. */
  everything: {
    updateMs: 0.2,
    batchedUpdateMs: 0.02,
    deliveryMs: 0.035,
    subscribeMs: 0.5,
    streamMs: 0.042,
    wakeMs: { object: 1, subscriber: 0.1 },
    seekSeconds: 5,
  },
  /** CPU of a shard for each update: in a message of its own, and in one with many others. */
  shardUpdateMs: { apart: 0.1, together: 0.05 },
  /** More, for each further link that the same update goes to. */
  shardLinkUpdateMs: { apart: 0.003, together: 0.001 },
  /** CPU of the Worker for a request. */
  workerRequestMs: 0.5,
  /** Of the heap, for a shard's link and an object's subscriber; what the runtime itself keeps of a socket not included. */
  heapBytes: { link: 963, subscriber: 110 },
  /** An origin answers so many in one step at most (origin/watch/serving.ts). */
  answersPerStep: 16,
  /** An origin batches updates for 2 ms after each message (origin/uplink/uplinks.ts). */
  messagesPerShardSecond: 500,
  batchBytes: LIMITS.batchBytes,
  /** An object that does nothing for so long hibernates. */
  idleSeconds: 10,
  /** A relay in which nothing happens for so long writes down what it must know when it wakes, on a shard's word. */
  relayQuietSeconds: 5,
  relayRows: 2,
  /** A GET that waits does so for as long as clients are told to ask for. */
  pollSeconds: 25,
  /** Documented: an empty database takes about 12 KB. */
  emptyDatabaseGb: 12e-6,
} as const satisfies Record<string, unknown> & Record<"handlers" | "everything", Activity>;
