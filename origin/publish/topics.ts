/** The partitions of topics that are published to, as they were seen last. Who comes before that waits, in order. */
import { TIME_LIMITS } from "../time-limits.ts";
import { SinkError } from "./sink.ts";

const LOOK_AGAIN_MS = TIME_LIMITS.topicLookMs;
/** One that wasn't seen for so long may be another one by now: it is looked at before it is used. */
const LONG_AGO_MS = 2 * LOOK_AGAIN_MS;
const ABSENT_AGAIN_MS = TIME_LIMITS.topicAbsentMs;
/** Of those that wait for one topic. */
const WAITING_COUNT = 10_000;
/** Names that aren't topics may be asked for without end: the oldest are forgotten. */
const MAX_TOPICS = 10_000;

/** The partitions' epochs, or that there is no such topic, or why that can't be said. */
export type Seen = readonly string[] | "absent" | "full" | "late" | Error;

interface Waiter {
  readonly deadline: number;
  readonly use: (seen: Seen) => void;
}

interface Topic {
  seen: readonly string[] | "absent" | undefined;
  seenAt: number;
  isAsked: boolean;
  waiters: Waiter[];
}

export class Topics {
  readonly #look: (topic: string) => Promise<readonly string[] | undefined>;
  readonly #now: () => number;
  readonly #topics = new Map<string, Topic>();

  /** @param look Asks the log. */
  constructor(look: (topic: string) => Promise<readonly string[] | undefined>, now: () => number) {
    this.#look = look;
    this.#now = now;
  }

  /** Calls `use` once: at once if the topic was seen lately. */
  use(name: string, deadline: number, use: (seen: Seen) => void): void {
    const seen = this.seen(name);
    const { waiters } = this.#topic(name);
    if (seen !== undefined) use(seen);
    else if (waiters.length >= WAITING_COUNT) use("full");
    else waiters.push({ deadline, use });
  }

  /** What was seen lately, if anything was. */
  seen(name: string): Seen | undefined {
    const topic = this.#topic(name);
    const again = topic.seen === "absent" ? ABSENT_AGAIN_MS : LOOK_AGAIN_MS;
    const ago = this.#now() - topic.seenAt;
    if (ago > again) void this.#ask(name, topic);
    // One that isn't there may have been made since.
    if (typeof topic.seen === "object" && ago <= LONG_AGO_MS) return topic.seen;
    return topic.seen === "absent" && !topic.isAsked ? "absent" : undefined;
  }

  /** It is not as it was seen. */
  forget(name: string): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    topic.seen = undefined;
    topic.seenAt = Number.NEGATIVE_INFINITY;
  }

  expire(now: number): void {
    for (const topic of this.#topics.values()) {
      if (topic.waiters.length === 0) continue;
      const late = topic.waiters.filter(({ deadline }) => deadline <= now);
      topic.waiters = topic.waiters.filter(({ deadline }) => deadline > now);
      for (const { use } of late) use("late");
    }
  }

  #topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    for (const [oldest, { isAsked }] of this.#topics) {
      if (this.#topics.size < MAX_TOPICS) break;
      if (!isAsked) this.#topics.delete(oldest);
    }
    const topic: Topic = { seen: undefined, seenAt: Number.NEGATIVE_INFINITY, isAsked: false, waiters: [] };
    this.#topics.set(name, topic);
    return topic;
  }

  /** Never rejects. */
  async #ask(name: string, topic: Topic): Promise<void> {
    if (topic.isAsked) return;
    topic.isAsked = true;
    let seen: Seen;
    try {
      seen = (await this.#look(name)) ?? "absent";
      topic.seen = seen;
      topic.seenAt = this.#now();
    } catch (error) {
      seen = withoutNews(topic, error);
    }
    topic.isAsked = false;
    const { waiters } = topic;
    topic.waiters = [];
    for (const { use } of waiters) use(seen);
  }
}

/** While nobody can be asked it is taken for what it was: whoever writes to it finds out. */
function withoutNews({ seen }: Topic, error: unknown): Seen {
  const isForbidden = error instanceof SinkError && error.code === "forbidden";
  if (typeof seen === "object" && !isForbidden) return seen;
  return error instanceof Error ? error : new Error(String(error));
}
