/**
 * `streams.json`: the one list of what is exposed. Origin, edge and page read it; a topic that is not in it,
 * by its name or by a pattern, does not exist to the outside. streams.schema.json is made from this schema.
 */
import * as v from "valibot";
import { isPattern, TOPIC_OR_PATTERN, TopicPattern } from "./topic-pattern.ts";

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BACK = /^([1-9][0-9]{0,5})([smhd])$/;
const START = new RegExp(`^earliest$|^latest$|${BACK.source}`);

/** Where to begin: at the oldest record, at the end, or at the first record that is no older than this. */
export type Start = "earliest" | "latest" | `${number}${keyof typeof UNIT_MS}`;

/** How far back reading begins, in milliseconds; undefined if that isn't what `start` says. */
export function backMs(start: Start): number | undefined {
  const [, count, unit] = BACK.exec(start) ?? [];
  return unit === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
}

const WholeNumber = v.pipe(v.number(), v.integer());

/** Who may do something: everybody who reaches the edge, those whose token says so, or nobody. */
export const AUDIENCES = ["public", "token", "nobody"] as const;

export type Audience = (typeof AUDIENCES)[number];

const StreamFields = v.strictObject({
  title: v.pipe(v.string(), v.minLength(1), v.maxLength(200), v.description("What people see.")),
  subscribe: v.pipe(
    v.picklist(AUDIENCES),
    v.description(
      "Who may read: public, everybody who reaches the edge; token, those whose token says so; or nobody. Said outright, so that nothing is exposed by chance.",
    ),
  ),
  publish: v.optional(
    v.pipe(
      v.picklist(AUDIENCES),
      v.description(
        "Who may publish: public, everybody who reaches the edge; token, those whose token says so; or nobody, which is so unless something else is said.",
      ),
    ),
    "nobody",
  ),
  discover: v.optional(
    v.pipe(
      v.picklist(AUDIENCES),
      v.description(
        "Who may know that the topic is there: public, token (those whose token says so) or nobody else. By default, as subscribe says.",
      ),
    ),
  ),
  occupancy: v.optional(
    v.pipe(
      v.picklist(["subscribers", "nobody"]),
      v.description(
        "Who may know how many subscribers an endpoint has: subscribers, who are all that may subscribe to it; or nobody.",
      ),
    ),
    "subscribers",
  ),
  window: v.optional(
    v.pipe(
      v.strictObject({
        updates: v.optional(v.pipe(WholeNumber, v.minValue(1), v.maxValue(10_000)), 100),
        seconds: v.optional(v.pipe(WholeNumber, v.minValue(1), v.maxValue(31_536_000)), 3_600),
      }),
      v.description(
        "How many recent updates an endpoint keeps at the edge, and how long the origin's index keeps them.",
      ),
    ),
    {},
  ),
  start: v.optional(
    v.pipe(
      v.string(),
      v.regex(
        START,
        "must be earliest, latest, or how far back, as 30m, 24h or 7d; all keys of a compacted topic are earliest with compacted",
      ),
      v.description(
        "Where the origin begins with a topic of which its index holds nothing: earliest, latest, or so far back by the records' timestamps: a number and s, m, h or d.",
      ),
    ),
    "earliest",
  ),
  compacted: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Whether the latest record of a key is kept however old it is. With start earliest these are all keys of the topic; with another, those that had a record since.",
      ),
    ),
    false,
  ),
  replay: v.optional(
    v.pipe(
      WholeNumber,
      v.minValue(0),
      v.maxValue(100_000_000),
      v.description(
        "How many records of the log may be read again for one who resumes from before what the index holds. 0: none.",
      ),
    ),
    0,
  ),
  maxAge: v.optional(
    v.pipe(
      WholeNumber,
      v.minValue(0),
      v.maxValue(3_600),
      v.description(
        "For how many seconds the answer to a GET of a public stream may be given to others, by the edge and by what stands before it. 0: each GET is asked for.",
      ),
    ),
    1,
  ),
});

const StreamSchema = v.pipe(
  StreamFields,
  v.forward(
    v.check(
      ({ compacted, replay }) => !compacted || replay === 0,
      "must be 0 where the topic is compacted: what its log still holds doesn't prove that nothing is missing",
    ),
    ["replay"],
  ),
);

export const StreamsSchema = v.strictObject({
  $schema: v.optional(v.string()),
  streams: v.pipe(
    v.record(
      v.pipe(v.string(), v.regex(TOPIC_OR_PATTERN, "neither a topic's name nor a pattern of names")),
      StreamSchema,
    ),
    v.description(
      "By topic, or by a pattern in which * stands for any run of characters. A topic's own name wins over patterns, and of these the longest. Names that begin with __ match none.",
    ),
  ),
});

export interface Stream {
  /** A topic's name, or a pattern of names. */
  readonly topic: string;
  readonly title: string;
  readonly subscribe: Audience;
  readonly publish: Audience;
  readonly discover: Audience;
  /** Who may know how many subscribers an endpoint has. */
  readonly occupancy: "subscribers" | "nobody";
  readonly windowUpdates: number;
  readonly windowMs: number;
  readonly start: Start;
  readonly compacted: boolean;
  /** Records of the log that may be read again to prove continuity (R7). */
  readonly replay: number;
  /** For how long the answer to a GET may be reused, if the stream is public (H15). */
  readonly maxAgeSeconds: number;
}

export class Streams {
  /** As they stand in the file. */
  readonly all: readonly Stream[];
  readonly #byName: ReadonlyMap<string, Stream>;
  /** The longest first; among those of one length, in the order of the file. */
  readonly #patterns: readonly (readonly [TopicPattern, Stream])[];

  constructor(streams: readonly Stream[]) {
    this.all = streams;
    this.#byName = new Map(streams.map((stream) => [stream.topic, stream]));
    this.#patterns = streams
      .filter(({ topic }) => isPattern(topic))
      .toSorted((a, b) => b.topic.length - a.topic.length)
      .map((stream) => [new TopicPattern(stream.topic), stream]);
  }

  /** What a topic (or what stands in the file so) is exposed as; undefined if it isn't. */
  get(topic: string): Stream | undefined {
    return this.#byName.get(topic) ?? this.#patterns.find(([pattern]) => pattern.matches(topic))?.[1];
  }

  /** Those that name one topic. */
  get named(): readonly Stream[] {
    return this.all.filter(({ topic }) => !isPattern(topic));
  }

  /** Whether there are any that not everybody may know of. */
  get hidesSome(): boolean {
    return this.all.some(({ discover }) => discover !== "public");
  }

  get hasPatterns(): boolean {
    return this.#patterns.length > 0;
  }
}

export type StreamsResult =
  | { readonly ok: true; readonly streams: Streams }
  /** Every problem at once, each with its path in the file. */
  | { readonly ok: false; readonly problems: readonly string[] };

export function readStreams(json: unknown): StreamsResult {
  const result = v.safeParse(StreamsSchema, json);
  if (!result.success) {
    const problems = result.issues.map((issue) => `${v.getDotPath(issue) ?? "(the file)"}: ${issue.message}`);
    return { ok: false, problems };
  }
  const streams = Object.entries(result.output.streams).map(
    ([topic, stream]): Stream => ({
      topic,
      title: stream.title,
      subscribe: stream.subscribe,
      publish: stream.publish,
      discover: stream.discover ?? stream.subscribe,
      occupancy: stream.occupancy,
      windowUpdates: stream.window.updates ?? 100,
      windowMs: (stream.window.seconds ?? 3_600) * 1_000,
      start: stream.start as Start,
      compacted: stream.compacted,
      replay: stream.replay,
      maxAgeSeconds: stream.maxAge,
    }),
  );
  return { ok: true, streams: new Streams(streams) };
}

/** For text of a file: a JSON error is a problem like the others. */
export function parseStreams(text: string): StreamsResult {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problems: [`(the file): ${error instanceof Error ? error.message : "not JSON"}`] };
  }
  return readStreams(json);
}
