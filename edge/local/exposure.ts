/** What a run exposes: the topics of streams.json, or only those that were named for it. Pure. */
import type { Audience, Stream, Streams } from "../../shared/config/streams.ts";
import { isTopicOrPattern } from "../../shared/config/topic-pattern.ts";
import type { Checked } from "./checks.ts";

/** Topics, or patterns of them, from a comma-separated list; undefined if none was given. */
export function readTopics(list: string | undefined): Checked<readonly string[] | undefined> {
  if (list === undefined) return { ok: true, value: undefined };
  const topics = [...new Set(list.split(",").map((topic) => topic.trim()))];
  const wrong = topics.filter((topic) => !isTopicOrPattern(topic));
  if (wrong.length === 0) return { ok: true, value: topics };
  const names = wrong.map((topic) => JSON.stringify(topic)).join(", ");
  return { ok: false, problem: `KAFKA_TOPICS: neither a topic's name nor a pattern of names: ${names}` };
}

/**
 * The text of a streams.json with these topics only: as they stand in another, or readable by everyone.
 * @param isPrivate Nobody reads or finds any of them without a token.
 */
export function streamsOf(topics: readonly string[], streams: Streams, isPrivate: boolean): string {
  const entries = topics.map((topic) => [topic, entryOf(topic, streams.get(topic), isPrivate)]);
  return `${JSON.stringify({ streams: Object.fromEntries(entries) }, undefined, 2)}\n`;
}

function entryOf(topic: string, stream: Stream | undefined, isPrivate: boolean) {
  const to = (audience: Audience): Audience => (isPrivate && audience === "public" ? "token" : audience);
  const audiences = {
    subscribe: to(stream?.subscribe ?? "public"),
    discover: to(stream?.discover ?? "public"),
    publish: to(stream?.publish ?? "nobody"),
  };
  // Somebody who tries a topic out asks for keys whose latest record may be old.
  if (stream === undefined) return { title: topic, ...audiences, compacted: true };
  const { title, windowUpdates, windowMs, start, compacted, replay } = stream;
  const window = { updates: windowUpdates, seconds: windowMs / 1_000 };
  return { title, ...audiences, window, start, compacted, replay };
}
