/**
 * Patterns of topics' names, as streams.json may have them: `*` stands for any run of characters, also for none.
 * Topics whose names begin with `__` are Kafka's own, and no pattern matches them.
 */
import { isTopicName } from "../protocol/address.ts";

const INTERNAL = "__";

/** A topic's name or a pattern of such, but none that could match nothing. */
export const TOPIC_OR_PATTERN = /^(?!\.\.?$|__[^*]*\*)[A-Za-z0-9._*-]{1,249}$/;

export function isPattern(text: string): boolean {
  return text.includes("*");
}

export function isTopicOrPattern(text: string): boolean {
  return TOPIC_OR_PATTERN.test(text);
}

export class TopicPattern {
  readonly #first: string;
  readonly #middle: readonly string[];
  readonly #last: string;

  constructor(text: string) {
    const parts = text.split("*");
    this.#first = parts[0] ?? "";
    this.#middle = parts.slice(1, -1);
    this.#last = parts.at(-1) ?? "";
  }

  /** Takes no longer for a name that someone made up to make it slow, as a regular expression might. */
  matches(topic: string): boolean {
    if (topic.startsWith(INTERNAL) || !isTopicName(topic)) return false;
    const end = topic.length - this.#last.length;
    let at = this.#first.length;
    if (at > end || !topic.startsWith(this.#first) || !topic.endsWith(this.#last)) return false;
    for (const part of this.#middle) {
      const found = topic.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  }
}
