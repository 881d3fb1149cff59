/**
 * `streams.json`: the one list of what is exposed. Origin, edge and page read it; a topic that is not in it
 * does not exist to the outside. streams.schema.json is made from this schema.
 */
import * as v from "valibot";
import { isTopicName } from "./address.ts";

const WholeNumber = v.pipe(v.number(), v.integer());

const StreamFields = v.strictObject({
  title: v.pipe(v.string(), v.minLength(1), v.maxLength(200), v.description("What people see.")),
  subscribe: v.pipe(
    v.literal("public"),
    v.description(
      "Who may read: everyone who reaches the edge. Said outright, so that nothing is exposed by chance.",
    ),
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
      v.picklist(["earliest", "latest"]),
      v.description("Where the origin begins when its index is empty."),
    ),
    "earliest",
  ),
  compacted: v.optional(
    v.pipe(v.boolean(), v.description("Whether the latest record of a key is kept however old it is.")),
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
  streams: v.record(v.pipe(v.string(), v.check(isTopicName, "not a topic name")), StreamSchema),
});

export interface Stream {
  readonly topic: string;
  readonly title: string;
  readonly windowUpdates: number;
  readonly windowMs: number;
  readonly start: "earliest" | "latest";
  readonly compacted: boolean;
  /** Records of the log that may be read again to prove continuity (R7). */
  readonly replay: number;
}

export type Streams = ReadonlyMap<string, Stream>;

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
  const streams = new Map<string, Stream>();
  for (const [topic, stream] of Object.entries(result.output.streams)) {
    streams.set(topic, {
      topic,
      title: stream.title,
      windowUpdates: stream.window.updates ?? 100,
      windowMs: (stream.window.seconds ?? 3_600) * 1_000,
      start: stream.start,
      compacted: stream.compacted,
      replay: stream.replay,
    });
  }
  return { ok: true, streams };
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
