/** What a publisher is told: C2 of PROTOCOL.md. */
import type { ErrorCode } from "../../../shared/protocol/codes.ts";
import type { Guarantee, Published } from "../../../shared/protocol/publish.ts";
import type { Refused } from "../validity.ts";
import type { PublishEvent } from "./publish-states.ts";

/** It travels between objects. */
export type PublishOutcome =
  | { readonly kind: "position"; readonly position: string; readonly guarantee?: Guarantee | undefined }
  | Refused;

interface Meaning {
  readonly event: Exclude<PublishEvent<never>["kind"], "put" | "lost" | "late">;
  readonly code: ErrorCode;
}

/** What origins say (origin/publish/result.ts), what it means for the publish, and how its client is told. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  unknown_topic: { event: "refused", code: "unknown_topic" },
  too_large: { event: "refused", code: "too_large" },
  invalid: { event: "refused", code: "bad_request" },
  // That the origin may not write there is for its operators to mend: the client's token is as good as before.
  forbidden: { event: "busy", code: "not_writable" },
  in_flight: { event: "busy", code: "in_flight" },
  id_reused: { event: "certain", code: "id_reused" },
  id_not_kept: { event: "refused", code: "id_not_kept" },
  not_writer: { event: "notWriter", code: "unavailable" },
  overloaded: { event: "busy", code: "overloaded" },
  unavailable: { event: "busy", code: "unavailable" },
  unknown: { event: "unknown", code: "unknown_outcome" },
};
/** An origin of a later version may say what this edge doesn't know; whether it has published is not known then. */
const OTHER: Meaning = { event: "unknown", code: "unknown_outcome" };

export function meaningOf(result: Published): {
  readonly event: Meaning["event"];
  readonly outcome: PublishOutcome;
} {
  if ("position" in result) {
    const { position, guarantee } = result;
    const weaker = guarantee === undefined ? {} : { guarantee };
    return { event: "certain", outcome: { kind: "position", position, ...weaker } };
  }
  const { code, message } = result.error;
  const meaning = Object.hasOwn(MEANINGS, code) ? (MEANINGS[code] ?? OTHER) : OTHER;
  return { event: meaning.event, outcome: { kind: "error", code: meaning.code, message } };
}

export const NO_ORIGIN: PublishOutcome = {
  kind: "error",
  code: "unavailable",
  message: "no source of this topic is connected just now; nothing was published",
};

export const NOT_SENT: PublishOutcome = {
  kind: "error",
  code: "unavailable",
  message: "no source took this in time; it was not published",
};

export const UNKNOWN_OUTCOME: PublishOutcome = {
  kind: "error",
  code: "unknown_outcome",
  message:
    "it may have been published: the same request with the same Idempotency-Key finds out, and publishes it only if it wasn't",
};

export const TOO_MUCH: PublishOutcome = {
  kind: "error",
  code: "overloaded",
  message: "more is published here than is taken; try again later",
};
