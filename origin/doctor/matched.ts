/** Which topics are examined: those that are named, and some of those that match a pattern. */
import type { Stream, Streams } from "../../shared/config/streams.ts";
import { isPattern } from "../../shared/config/topic-pattern.ts";
import { type Finding, hint, ok } from "./finding.ts";

/** Topics of one pattern that are examined one by one. */
const EXAMINED = 20;

export interface Matched {
  /** Each by its topic's own name. */
  readonly streams: readonly Stream[];
  /** One for each pattern. */
  readonly findings: readonly Finding[];
}

/** @param existing The topics that there are. */
export function matchedBy(streams: Streams, existing: readonly string[]): Matched {
  const matched: Stream[] = [...streams.named];
  const findings: Finding[] = [];
  for (const pattern of streams.all.filter(({ topic }) => isPattern(topic))) {
    const topics = existing.filter((topic) => streams.get(topic) === pattern);
    for (const topic of topics.slice(0, EXAMINED)) matched.push({ ...pattern, topic });
    const what = `pattern ${pattern.topic}`;
    const examined = topics.length > EXAMINED ? `; the first ${EXAMINED} are examined` : "";
    findings.push(
      topics.length > 0
        ? ok(what, `matches ${topics.length} topics${examined}`)
        : hint(what, "matches no topic yet", "create one, or correct streams.json"),
    );
  }
  return { streams: matched, findings };
}
