/**
 * Finds the topics that match the patterns of streams.json, as they come. What is tried again, and how it ends:
 *
 *   listing the topics fails   backoff      never: what was found before is read meanwhile
 *   more match than are read   describeMs   never: those beyond are read when others have gone; told of, loudly
 */
import { setTimeout } from "node:timers/promises";
import type { Start, Stream, Streams } from "../../shared/config/streams.ts";
import { isPattern } from "../../shared/config/topic-pattern.ts";
import { type BackoffBounds, backoff } from "../../shared/core/backoff.ts";
import type { Log } from "../operate/log.ts";
import type { Troubles } from "../operate/troubles.ts";
import { type Source, SourceError } from "../source/source.ts";
import type { Forwarder } from "./forwarder.ts";

/** Topics that all patterns match together: each is described again and again. */
const MAX_MATCHED = 1_000;
/** Whom it befalls that topics can't be listed: no topic's name. */
const PATTERNS = "*";

export interface Discovering {
  readonly source: Source;
  readonly streams: Streams;
  readonly forwarder: Forwarder;
  readonly log: Log;
  readonly troubles: Troubles;
  /** In [0, 1). */
  readonly random: () => number;
  readonly timing: { readonly retry: BackoffBounds; readonly describeMs: number };
  /** Topics that are read for matching a pattern. */
  readonly reading: ReadonlyMap<string, unknown>;
  /** Adds to them a topic that was found, and where it begins. */
  readonly read: (stream: Stream, start: Start) => void;
  readonly signal: AbortSignal;
  readonly maxMatched?: number;
}

/** Until the signal aborts. */
export async function discover(options: Discovering): Promise<void> {
  const { source, streams, forwarder, log, troubles, random, timing, reading, read, signal } = options;
  let leftOut: readonly string[] | undefined;
  let failures = 0;
  while (!signal.aborted) {
    let waitMs = timing.describeMs;
    try {
      const topics = await source.topics();
      if (signal.aborted) return;
      // Those that went while this origin was down are looked for, too, until they are forgotten.
      const known = leftOut === undefined ? forwarder.known() : new Set<string>();
      const found = choose(topics, known, streams, reading, options.maxMatched);
      failures = 0;
      forwarder.listing(undefined);
      troubles.over(PATTERNS);
      if (found.fresh.length > 0 || found.leftOut.join() !== leftOut?.join())
        forwarder.listed(
          found.fresh.map(({ topic }) => topic),
          found.leftOut,
        );
      // What appears from now on was written while this origin was watching.
      for (const stream of found.fresh) read(stream, leftOut === undefined ? stream.start : "earliest");
      const [first] = found.leftOut;
      if (first !== undefined && !leftOut?.length)
        log("topics_left_out", { read: reading.size, leftOut: found.leftOut.length, first });
      leftOut = found.leftOut;
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      const { code, message } = error;
      waitMs = Math.ceil(backoff(failures++, timing.retry, random()));
      forwarder.listing(message);
      troubles.befall(PATTERNS, "topics_unlisted", { code, message, retryMs: waitMs });
    }
    await setTimeout(waitMs, undefined, { signal }).catch(() => {});
  }
}

/**
 * Which of all topics are to be read for matching a pattern, besides those that are read already, each with what
 * its pattern is exposed as; and the names of those that are too many. What the index knows comes first, then by name.
 */
function choose(
  topics: readonly string[],
  known: ReadonlySet<string>,
  streams: Streams,
  reading: ReadonlyMap<string, unknown>,
  maxMatched = MAX_MATCHED,
): { fresh: readonly Stream[]; leftOut: readonly string[] } {
  const ordered = new Set([...known, ...topics.toSorted()]);
  const matched = [...ordered].flatMap((topic) => {
    const stream = streams.get(topic);
    const isFresh = stream !== undefined && isPattern(stream.topic) && !reading.has(topic);
    return isFresh ? [{ ...stream, topic }] : [];
  });
  const room = Math.max(0, maxMatched - reading.size);
  return { fresh: matched.slice(0, room), leftOut: matched.slice(room).map(({ topic }) => topic) };
}
