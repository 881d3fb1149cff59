/** What a publish is answered with. */
import type { Guarantee } from "../../shared/protocol/publish.ts";

/**
 * - `unknown_topic`: there is no such topic.
 * - `too_large`: the topic takes no record of this size.
 * - `invalid`: the topic takes no such record.
 * - `forbidden`: Kafka doesn't let this origin write there.
 * - `in_flight`: the same publish is under way; ask again.
 * - `id_reused`: its id was used for something else.
 * - `id_not_kept`: the log forgets too soon to promise that an id is used once; without one it can be published.
 * - `not_writer`: another origin has the partition, or shall, since this one stops; nothing was done. This one must be told
 *   to take over first.
 * - `overloaded`: too much is waiting; ask again later.
 * - `unavailable`: it was not published, and may be tried again.
 * - `unknown`: it may have been published. The same id finds out, and publishes it only if it wasn't.
 */
export type PublishErrorCode =
  | "unknown_topic"
  | "too_large"
  | "invalid"
  | "forbidden"
  | "in_flight"
  | "id_reused"
  | "id_not_kept"
  | "not_writer"
  | "overloaded"
  | "unavailable"
  | "unknown";

export interface PublishError {
  readonly code: PublishErrorCode;
  readonly message: string;
}

export type PublishResult = PublishedAt | { readonly error: PublishError };

export interface PublishedAt {
  readonly position: string;
  /** If it may be in the log more than once. */
  readonly guarantee?: Guarantee;
}

export function refusal(code: PublishErrorCode, message: string): PublishResult {
  return { error: { code, message } };
}

/** Those that several parts of publishing give. */
export const NOT_WRITER = refusal("not_writer", "another origin writes this partition");
export const CLOSED = refusal("not_writer", "this origin stops, or lets the partition go");
export const LATE = refusal("unavailable", "this could not be published in time, and was not");
export const REUSED = refusal("id_reused", "this id was used for another publish");
export const UNKNOWN = refusal(
  "unknown",
  "it isn't known yet whether this was published: ask again with the same id",
);
export const FULL = refusal("overloaded", "more is published than this origin takes: try again later");

/** Of what may be in the log already: only its position, or that its id is another's, says that it is, or isn't. */
export function unlessUnknown(isDoubtful: boolean, result: PublishResult): PublishResult {
  const isCertain = "position" in result || result.error.code === "id_reused";
  return isDoubtful && !isCertain ? UNKNOWN : result;
}
