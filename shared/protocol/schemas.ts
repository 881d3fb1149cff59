/**
 * What frames of several kinds are made of, each with its schema: positions, paths, ids, verdicts and errors; and how a
 * frame that is one JSON object is read.
 */
import * as v from "valibot";
import { ERRORS, type ErrorCode } from "./codes.ts";
import type { Verdict } from "./down.ts";
import type { ErrorBody } from "./error-body.ts";
import { formatPosition, type Position, parseLongPosition, parsePosition } from "./position.ts";

/** What servers say to each other and to clients. */
export const PositionSchema = positionSchema(parseLongPosition);
/** What a client says. */
export const ClientPositionSchema = positionSchema(parsePosition);
export const IdSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const EndpointSchema = v.pipe(v.string(), v.startsWith("/"));

export const VerdictSchema = v.object({
  position: PositionSchema,
  head: PositionSchema,
  recovered: v.optional(v.boolean()),
  // One that this version doesn't know is passed on as it is (V4).
  cause: v.optional(v.string()),
});

/** Headers of a record (F6). */
export const HeadersSchema = v.array(
  v.union([
    // The longer form first: a tuple schema passes over what follows its items.
    v.tuple([v.string(), v.string(), v.literal("base64")]),
    v.tuple([v.string(), v.nullable(v.string())]),
  ]),
);

/** A verdict's fields as they travel; undefined ones are left out by JSON. */
export function verdictFields(verdict: Verdict): Record<string, unknown> {
  return { ...verdict, position: formatPosition(verdict.position), head: formatPosition(verdict.head) };
}

export const ErrorBodySchema = v.object({
  code: v.string(),
  message: v.string(),
  retry: v.boolean(),
  retryAfterMs: v.optional(v.pipe(v.number(), v.minValue(0))),
});

/** The body of every error answer over HTTP, too, as `{"error": …}`. */
export function errorBody(code: ErrorCode, message: string): ErrorBody {
  return { code, message, retry: ERRORS[code].retry };
}

/* @__NO_SIDE_EFFECTS__ */
function positionSchema(parse: (text: string) => Position | undefined) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, Position>(({ dataset, addIssue, NEVER }) => {
      const position = parse(dataset.value);
      if (position !== undefined) return position;
      addIssue({ message: "not a position" });
      return NEVER;
    }),
  );
}

/** The first thing that a schema found wrong, with its path; not what was there instead, which may be a secret in the wrong place. */
export function describe(issues: readonly v.BaseIssue<unknown>[]): string {
  const [issue] = issues;
  if (issue === undefined) return "malformed";
  const [message = issue.message] = issue.message.split(" but received ", 1);
  const path = v.getDotPath(issue);
  return path === null ? message : `${path}: ${message}`;
}
