/**
 * What is exposed: streams.json, read once per isolate. If it is broken nothing is exposed, and every
 * request that needs it fails with the reasons in the log.
 */

import { readStreams, type Stream, type Streams, type StreamsResult } from "../shared/config/streams.ts";
import json from "../streams.json";

export const exposed: StreamsResult = readStreams(json);

/** The stream of an endpoint; undefined if its topic isn't exposed. */
export function streamOf(path: string): Stream | undefined {
  return exposed.ok ? exposed.streams.get(path.slice(1, path.indexOf("/", 1))) : undefined;
}

/** Throws, with every problem of the file, if it is broken. */
export function requireStreams(): Streams {
  if (!exposed.ok) throw new Error(`streams.json: ${exposed.problems.join("; ")}`);
  return exposed.streams;
}
