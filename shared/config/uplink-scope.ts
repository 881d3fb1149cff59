/**
 * What the holder of an uplink key may speak for, as it stands behind the name in the key: `(slices=1/2|2/2
 * topics=flights|orders.*)`. What isn't named isn't bounded. It is the edge's word: an origin takes no notice (U16).
 */
import { formatSlice, parseSlice, type Slice } from "../protocol/slice.ts";
import { isPattern, isTopicOrPattern, TopicPattern } from "./topic-pattern.ts";

export interface UplinkScope {
  /** As it is written, so that it can travel. */
  readonly text: string;
  maySlice(slice: Slice): boolean;
  mayTopic(topic: string): boolean;
}

/** It is kept with a socket. */
const MAX_CHARACTERS = 1_024;

/** undefined if it can't be read: then the key counts for nothing. */
export function readUplinkScope(text: string): UplinkScope | undefined {
  const fields = new Map<string, readonly string[]>();
  for (const field of text.trim().split(/ +/)) {
    const [, name, list] = /^(slices|topics)=(.+)$/.exec(field) ?? [];
    if (name === undefined || list === undefined || fields.has(name)) return undefined;
    fields.set(name, list.split("|"));
  }
  if (text.length > MAX_CHARACTERS) return undefined;
  const [slices, topics] = [fields.get("slices"), fields.get("topics")];
  if (slices?.some((slice) => parseSlice(slice) === undefined)) return undefined;
  if (topics?.some((topic) => !isTopicOrPattern(topic))) return undefined;
  const patterns = topics?.filter(isPattern).map((pattern) => new TopicPattern(pattern)) ?? [];
  return {
    text,
    maySlice: (slice) => slices === undefined || slices.includes(formatSlice(slice)),
    mayTopic: (topic) =>
      topics === undefined || topics.includes(topic) || patterns.some((pattern) => pattern.matches(topic)),
  };
}
