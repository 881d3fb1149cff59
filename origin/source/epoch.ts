/**
 * The epoch of a partition (P4): derived from what every reader of the log knows alike, so that two origins,
 * and one whose index was deleted, give a record the same name.
 */
import { createHash } from "node:crypto";

/**
 * The first 6 characters of the topic id in base64url, a `.`, the partition's number. 36 random bits keep a
 * topic and the one that takes its name later apart.
 *
 * @param topicId Kafka's 16-byte topic id, or the embedded log's.
 */
export function epochOf(topicId: Uint8Array, partition: number): string {
  return `${Buffer.from(topicId.subarray(0, 5)).toString("base64url").slice(0, 6)}.${partition}`;
}

const NAME_BYTES = 12;

/** In place of the id of a topic for which the log has none. A topic that takes its name later has the same. */
export function idOfName(clusterId: string, topic: string): Buffer {
  return createHash("sha256").update(`${clusterId}\0${topic}`).digest().subarray(0, NAME_BYTES);
}

/** All 16 characters of it: names can be chosen, and no two topics must have one epoch. */
export function epochOfName(id: Uint8Array, partition: number): string {
  return `${Buffer.from(id).toString("base64url")}.${partition}`;
}
